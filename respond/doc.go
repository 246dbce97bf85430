// Package respond turns findings into incidents, and incidents into runs of
// playbooks.
//
// The core is pure: [incident.Group] says to which incident a finding belongs,
// [Next] how a run moves, [Due] what a run in a given state waits for. The
// [Worker] is the thin shell around them: it reads findings and inputs, appends
// every move of a run to the run log by compare-and-set before it has any
// effect, and carries out the effects that the state asks for.
//
// A crash at any instruction leaves a record from which Due says what comes
// next. Nothing else is needed to go on.
//
// Effects wait in lanes, each with slots of its own: what acts on the cluster
// never stands behind checks, drafts for people or notices.
//
// A run that has ended has a short record in ENDED, by which lists go. What a
// start reads and holds is bounded by what goes on, not by what ever was. Months
// of ended runs go to the object store, read back and verified, before the run
// log forgets them.
package respond
