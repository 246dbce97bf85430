// Package notify tells people and their tools: a catalogue of receivers, one
// file a kind, and the outbox by which messages reach them.
//
// Whoever has something to say puts a [Message] into the [Outbox]: from then on
// it is durable, and the caller is done. A [Deliverer] sends it, and again until
// its receiver takes it, for as long as it matters; then it is a dead letter, and
// an alarm. A message is sent at least once, and twice only when a process died
// between sending it and noting that: the receiver gets the same key then.
package notify
