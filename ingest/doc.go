// Package ingest takes in what observers saw and makes events of it: Falco
// alerts and Kubernetes audit events by HTTP, container logs from files.
//
// The core is pure: a decoder per source ([Kind.Decode]) turns one JSON value
// into events and rejects, and a scanner per source ([Kind.Scan]) does the
// same for a file of many. Replay uses these alone. Around them stand the
// HTTP server ([NewHandler]), the log reader ([Tail]) and the [Batcher], which
// puts events into the EVENTS stream and says when they are stored.
//
// Nothing that comes in is dropped in silence: it becomes an event, or a
// reject with its reason. Secrets are taken out before anything is stored,
// of rejects too. All of it is written by somebody else, perhaps an attacker:
// every size, depth and count has a bound, and no input panics.
//
// A source is one file: it registers one [Kind].
package ingest
