// Package detect finds what is dangerous in the stream of events.
//
// A [Detector] folds events into findings: no clock, no I/O, one goroutine. So
// a recorded stream always gives the same findings: live, after a crash, and in
// replay. An [Engine] is the detectors together: it drops events that it has
// seen, and survives a detector that panics. A [Worker] is the thin shell that
// reads the EVENTS stream through an engine into the FINDINGS stream.
//
// Detectors are made of YAML documents. A kind of document is one file here
// that registers a [Kind]; [Rule] is one. The shipped rules are in rules/.
package detect
