// Package enrich adds to events what the cluster knows of them, before they
// are stored: so replay and a restarted detector see the same.
//
// What a source said is never overwritten; only what is empty is filled in.
// Where the index and the source contradict one another, nothing is filled in
// and the event is tagged. Enriching changes neither an event's id nor, with
// one exception, its trust: a name in the text of a log does not become more
// credible by an object of that name. The exception is a Falco alert whose
// container runs in another pod than the one that it names: its trust falls to
// [event.TrustName], so that nothing is done to either without being asked.
package enrich
