// Package detect finds what is dangerous in the stream of events.
//
// A [Detector] is what a document asks for; [Running] is one with what it
// remembers. It folds events into findings: no clock, no I/O, one goroutine. So
// a recorded stream always gives the same findings: live, after a crash, and in
// replay. An [Engine] is the detectors together: it drops events that it has
// seen, asks only those detectors that an event could matter to, and survives
// one that panics. A [Worker] is the thin shell that reads the EVENTS stream
// through an engine into the FINDINGS stream.
//
// Time is the newest time at which an event was received; an event's own time
// counts if it is no more than the lateness before that of its receipt, and no
// more than seconds after it. Whatever else a detector is told enters the
// stream as a control event (see [event.VerbTick] and those beside it): the
// time while nothing comes, silences, other rules, and that a rule is too slow.
//
// What detectors remember is bounded, by groups and by bytes, in windows,
// sequences and suppression alike; what has to go is what came once, of the
// namespace that has most, and is counted. It is saved
// with its place in the stream, so that a crash neither loses nor doubles a
// finding.
//
// Whoever writes events decides what is in them, not what they cost. What an
// expression may do is bounded when it is compiled (package conf); a pattern costs
// a step through a table for each byte of text, and at worst what package regexp
// takes and half of that again (package conf/pattern); an event's text is bounded
// when it comes in, that of a request to 2 KiB once it is decoded. So an event costs
// at most so much, whatever it says, and TestHostileTextsCostLittle counts how much
// that is of all shipped rules. A rule that is slow all the same is never switched
// off for the events that it is given: it is tried with ordinary ones, which are
// made here, and only if it is slow with those too it is switched off, with an
// alarm (rule-switched-off). Else it stays on, and a finding says who sent the
// events, once an hour for each rule (costly-events). While such events come the
// detector falls behind: that is told by firebreak_lag_messages, nothing is passed
// over, and what would expire unread is counted.
//
// Detectors are made of YAML documents. A kind of document is one file here
// that registers a [Kind]; [Rule] is one. The shipped rules are in rules/.
package detect
