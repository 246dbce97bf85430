// Package ingest takes in what observers saw and makes events of it: Falco
// alerts and Kubernetes audit events by HTTP and from files, container logs from
// files and from shippers.
//
// The core is pure: a decoder per source ([Kind.Decode]) turns one JSON value
// into events and rejects, and a scanner per source ([Kind.Scan]) does the
// same for a file of many. Replay uses these alone. Around them stand the
// HTTP server ([NewHandler]), the readers of files (package tail) and the [Batcher], which
// puts events into the EVENTS stream and says when they are stored.
//
// Nothing that comes in is dropped in silence: it becomes an event, or a
// reject with its reason. Secrets are taken out before anything is stored,
// of rejects too. All of it is written by somebody else, perhaps an attacker:
// every size, depth and count has a bound, and no input panics.
//
// Who may send is said in package credential, how much in package limit; what
// detectors are too far behind to read is refused by package backlog.
//
// A source is one file: it registers one [Kind].
package ingest
