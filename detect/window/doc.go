// Package window keeps numbers over a span of event time for very many
// groups: how many events, how many different values, sums, averages,
// quantiles, rates and ratios, over a window that slides or tumbles.
//
// Time is that of events. A window is made of panes: an event falls into the
// pane of its time, and a group's numbers are those of its newest pane, which is
// not over, and of as many panes before it as the window has. So a window that
// slides is up to one pane longer than it says, never shorter: with the usual 20
// panes it can count what is 5 % too old, and misses nothing. Where all times are
// those of the beginnings of panes (Options.Exact) it is as long as it says.
//
// Numbers of different values and of quantiles are estimates within an error that
// is stated ([MaxDistinct], [MaxBins]), and can be of sketches that were made
// elsewhere ([Union], [Input]). Of each group it is known where some of its events
// are ([Windows.Sample]).
//
// Memory is bounded by the number of groups and by what one group may hold.
// Groups with a single event go first when there are too many: a flood of
// names that come once does not push out those that come often. Everything is
// deterministic: the same events in the same order leave the same state.
//
// Nothing here is safe for concurrent use.
package window
