package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/bus"
)

// saves is when snapshots are due, and the one on its way.
type saves struct {
	last time.Time
	cost time.Duration
	// some says that this worker has saved one, failed that it tried.
	some, failed bool
	// frames and size are those since the last one, and since the ids were
	// saved.
	frames, size int
	seen         seenIDs
	now          *saving
	// always is for tests: one snapshot after the other, and of each about so
	// many bytes after a frame.
	always bool
	piece  int
	// silences is what was told of silences last.
	silences string
	// told is what was told of models last.
	told stateOfModels
	// anew is when models began anew, by name, as far as that was logged.
	anew map[string]time.Time
	// wanted are the rules of the files, when the snapshot had others.
	wanted *RuleSet
}

// seenIDs is which ids were saved last: of all events up to a frame, when so
// many had been added.
type seenIDs struct {
	key   string
	to    uint64
	added uint64
}

// Snapshots are begun when the last one is a second old, and so rarely that
// they take no more than a twentieth of the time; but every minute in any case,
// since what a save takes may be that NATS was away. The first of a life comes
// at once, and as fast as it can: a worker that dies over and over may not get
// to a second one.
const (
	saveFirst = 50 * time.Millisecond
	saveEvery = time.Second
	saveLeast = time.Minute
	saveShare = 20
	// savePiece is about how much is written between two frames.
	savePiece = 1 << 20
	// The ids of events are saved again when an eighth of them are others, or
	// when so many bytes would have to be read again to get at them.
	seenShare = 8
	seenSize  = 16 << 20
)

func (s *saves) every() time.Duration {
	switch {
	case s.always:
		return 0
	case !s.some && !s.failed:
		return saveFirst
	}
	return min(max(saveEvery, saveShare*s.cost), saveLeast)
}

func (s *saves) due(now time.Time) bool {
	return s.now == nil && s.frames > 0 && now.Sub(s.last) >= s.every()
}

// wait is how long the worker may wait for a frame; never says that nothing of
// this is to be done.
func (s *saves) wait(now time.Time) (wait time.Duration, never bool) {
	switch {
	case s.now != nil:
		return max(s.now.next.Sub(now), 5*time.Millisecond), false
	case s.frames > 0:
		return s.last.Add(s.every()).Sub(now), false
	}
	return 0, true
}

// idle says that all is saved.
func (s *saves) idle() bool { return s.frames == 0 && s.now == nil }

// saveSome goes on with the snapshot that is on its way, or begins one. It takes
// no longer than it takes to write what one detector remembers: storing is done
// by others. What fails is begun again.
func (w *Worker) saveSome(ctx context.Context, now time.Time) error {
	if w.saves.due(now) {
		if err := w.beginSave(ctx); err != nil {
			return err
		}
	}
	s := w.saves.now
	if s == nil {
		return nil
	}
	select {
	case <-s.done:
		return w.endSave(ctx)
	default:
	}
	if s.turn != w.Engine.turn {
		s.abandon() // what follows would not fit what there is
		return nil
	}
	if s.complete || len(s.parts) > 0 || now.Before(s.next) {
		return nil
	}
	s.write(w.Engine, w.stats.sequence.Load(), cmp.Or(w.saves.piece, savePiece))
	if w.saves.some && !w.saves.always {
		s.next = time.Now().Add(saveShare * s.took)
	}
	return nil
}

// beginSave begins a snapshot as of the frame that was folded last.
func (w *Worker) beginSave(ctx context.Context) error {
	g, sequence := w.Engine, w.stats.sequence.Load()
	set := g.Rules()
	head := snapshot{Version: snapshotVersion, Sequence: sequence, Horizon: min(g.Oldest(), sequence), Rules: set.Version()}
	if w.Publish != nil {
		head.Bundle = set.bundled()
	}
	s := &saving{base: sequence, turn: g.turn, seen: w.saves.seen, parts: make(chan piece, 1), done: make(chan struct{})}
	var ids pack.Writer
	if w.saves.seenDue(g) {
		s.seen, s.size = seenIDs{seenKey + "a", sequence, g.events.added}, w.saves.size
		if w.saves.seen.key == s.seen.key {
			s.seen.key = seenKey + "b"
		}
		g.SaveSeen(&ids, sequence)
	}
	head.Seen, head.SeenTo = s.seen.key, s.seen.to
	line, err := head.head()
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	silences, told, err := w.silences(sequence)
	if err != nil {
		return err
	}
	models, states, err := w.states(sequence, time.Now())
	if err != nil {
		return err
	}
	w.saves.anew = w.logAnew(ctx, states.states, w.saves.anew)
	g.begin()
	w.saves.frames, w.saves.now = 0, s
	out := pack.Writer{Data: line}
	g.saveHead(&out)
	s.parts <- piece{data: out.Data}
	ctx, s.abandon = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		if s.err = w.store(ctx, s, ids.Data); s.err == nil && silences != nil {
			s.err = w.Snapshots.Put(ctx, bus.SnapshotSilences, silences)
		}
		if s.err == nil && models != nil {
			s.err = w.Snapshots.Put(ctx, bus.SnapshotModels, models)
		}
	}()
	s.silences, s.told = told, states
	return nil
}

// seenDue says whether the ids have to be saved again.
func (s *saves) seenDue(g *Engine) bool {
	return g.events.added > s.seen.added && (s.seen.key == "" || s.size >= seenSize ||
		g.events.added-s.seen.added >= uint64(max(1, g.events.limit/seenShare))) // #nosec G115 -- not negative
}

// endSave notes how a snapshot went. That it went wrong is no loss: the one
// before it is there.
func (w *Worker) endSave(ctx context.Context) error {
	s := w.saves.now
	s.abandon()
	w.Engine.end()
	// What could not be told is told with the next one.
	w.Engine.counts = append(s.untold(), w.Engine.counts...)
	w.saves.now, w.saves.last, w.saves.failed = nil, time.Now(), s.err != nil
	switch {
	case errors.Is(s.err, bus.ErrClosed):
		return fmt.Errorf("save snapshot: %w", s.err)
	case s.err != nil:
		w.saves.frames++ // so that it is due again
		if !errors.Is(s.err, context.Canceled) {
			w.Telemetry.Logger().WarnContext(ctx, "snapshot was not saved; again soon", "error", s.err)
		}
		return nil
	}
	w.saves.cost, w.saves.some = s.cost+s.stored, true
	w.saves.seen, w.saves.silences, w.saves.told = s.seen, s.silences, s.told
	w.saves.size -= s.size
	m := w.Engine.Memory()
	w.memory.Store(&m)
	w.models.Store(&s.told.states)
	w.tell(ctx, s.base)
	return nil
}

// stopSaving gives up the snapshot that is on its way.
func (w *Worker) stopSaving(ctx context.Context) error {
	s := w.saves.now
	if s == nil {
		return nil
	}
	s.abandon()
	<-s.done
	return w.endSave(ctx)
}

// saveAll saves a snapshot of now, and waits until it is stored.
func (w *Worker) saveAll(ctx context.Context) error {
	if err := w.stopSaving(ctx); err != nil {
		return err
	}
	if err := w.beginSave(ctx); err != nil {
		return err
	}
	s := w.saves.now
	s.write(w.Engine, s.base, math.MaxInt)
	<-s.done
	if err := w.endSave(ctx); err != nil {
		return err
	}
	if s.err != nil {
		return fmt.Errorf("save snapshot: %w", s.err)
	}
	return nil
}
