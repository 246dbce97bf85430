// Package window keeps numbers over a span of event time for very many
// groups: how many events, how many different values, sums, averages,
// quantiles, rates and ratios, over a window that slides or tumbles.
//
// Time is that of events. A window is made of panes: an event falls into the
// pane of its time, and a group's numbers are those of its newest pane and of
// the panes before it, as many as the window has. So a window that slides is
// up to one pane longer than it says, never shorter: with the usual 20 panes
// it can count what is 5 % too old, and misses nothing.
//
// Memory is bounded by the number of groups and by what one group may hold.
// Groups with a single event go first when there are too many: a flood of
// names that come once does not push out those that come often. Everything is
// deterministic: the same events in the same order leave the same state.
//
// Nothing here is safe for concurrent use.
package window
