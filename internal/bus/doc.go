// Package bus is the stream between the roles: NATS JetStream, either a
// server inside this process (the default) or a cluster elsewhere. It is the
// only importer of NATS.
//
// What it promises: when [Bus.Publish], [Bus.Create] or [Bus.Append] returns
// without an error, the message is on disk and synced (embedded), or held by
// a majority of the replicas (external). An answer that got lost is never
// taken for a yes or a no: it is [ErrUnknown].
//
// Records that are appended at the same time are stored together, by one sync;
// each has its own condition and its own answer.
//
// Subjects hold only ids, hashes and enumerations, never text that somebody
// outside can choose. All methods may be called concurrently unless they say
// otherwise.
package bus
