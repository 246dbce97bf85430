package ingest

import "context"

// Settler is a sink that may hold for a while what it was given: it counts
// lines, and stores the counts later. Who remembers how far it read must not
// go past what would be lost with the process:
//
//	err := sink.Put(ctx, events)  // nil: stored, or counted
//	mark := settler.Mark()        // of all that was put until now
//	…
//	if settler.Settled() >= mark { /* the position may be saved */ }
//
// Its methods may be called concurrently.
type Settler interface {
	// Mark is of all events for which Put has returned nil. It never falls.
	Mark() uint64
	// Settled is the highest mark up to which everything is on disk.
	Settled() uint64
	// Flush stores what is held; then Settled is at least what Mark was. It is
	// for an orderly stop: call it with a context that has not ended.
	Flush(ctx context.Context) error
}

// wrapper is a sink around another one.
type wrapper interface{ Unwrap() Sink }

// SettlerOf is the settler of a sink, or of one that it wraps (with a method
// Unwrap() Sink). Where there is none, everything is settled as soon as Put
// returns.
func SettlerOf(s Sink) Settler {
	for s != nil {
		if settler, ok := s.(Settler); ok {
			return settler
		}
		w, ok := s.(wrapper)
		if !ok {
			break
		}
		s = w.Unwrap()
	}
	return settled{}
}

// settled is the settler of a sink that holds nothing.
type settled struct{}

func (settled) Mark() uint64                { return 0 }
func (settled) Settled() uint64             { return 0 }
func (settled) Flush(context.Context) error { return nil }
