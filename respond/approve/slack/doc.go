// Package slack lets people see incidents in Slack and decide there. It is the
// only importer of slack-go.
//
// A [Board] keeps one message an incident, which it changes as the incident
// goes on, with the journal in its thread. What stands there follows from the
// records alone: after an outage or a restart it catches up with one change a
// message. A [Clerk] takes what people click and write: it finds out who they
// are in the cluster's words, and hands it to the desk of package approve, which
// decides. Slack's word is never taken for more than who clicked what: a button
// carries a seal of ours over the plan that was shown, and being in a channel
// gives no right.
//
// All text that others wrote goes out as plain text or preformatted, tamed, cut
// and escaped ([Text]).
package slack
