// Package heartbeat shows when audit events no longer come: every ten seconds
// it sends the API server a request that only it can make, and that must come
// back as an audit event within a minute.
//
// Several processes share the work by one record in the bus: one of them sends
// each beat, and it counts whichever of them it comes back to. When beats stay
// away a gap begins: a log line, firebreak_coverage_gap is 1, and an event of
// class control with the verb gap, which the shipped rule audit-gap makes a
// finding of; gap_end follows when a beat comes back. The beats themselves are
// counted and not stored.
package heartbeat
