package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// saving is a snapshot on its way: the worker writes it piece by piece between
// frames, and a goroutine stores the pieces. It is there when the last one is.
type saving struct {
	base uint64
	turn uint64
	seen seenIDs
	// silences is what is told of silences.
	silences string
	// told is what is told of models.
	told stateOfModels
	// at is the detector that is next, next when.
	at       int
	next     time.Time
	complete bool
	parts    chan piece // holds one
	abandon  context.CancelFunc
	// took is what the last piece took of the worker's time, cost what all did.
	took, cost time.Duration
	// size is how many bytes of frames the ids made good for.
	size int
	// unsent are counts that the goroutine did not take.
	unsent []event.FindingCount

	// done is closed when the goroutine has ended. Then err is how, stored how
	// long it took beside waiting, and untaken what it could not tell.
	done    chan struct{}
	err     error
	stored  time.Duration
	untaken []event.FindingCount
}

// piece is some of a snapshot, and how often findings came again that it knows
// as told.
type piece struct {
	data   []byte
	counts []event.FindingCount
}

// write writes what some detectors remember, about so many bytes.
func (s *saving) write(g *Engine, sequence uint64, size int) {
	began := time.Now()
	var out pack.Writer
	p := piece{counts: g.counts}
	g.counts = nil
	for ; s.at < len(g.running) && len(out.Data) < size; s.at++ {
		p.counts = append(p.counts, g.running[s.at].run.Counts()...)
		g.saveSlot(&out, s.at, sequence+1)
	}
	s.complete = s.at == len(g.running)
	if s.complete {
		g.saveTail(&out, sequence+1)
		g.end()
	}
	p.data = out.Data
	select {
	case s.parts <- p:
	case <-s.done:
		s.unsent = p.counts
	}
	if s.complete {
		close(s.parts)
	}
	s.took = time.Since(began)
	s.cost += s.took
}

// store stores the pieces as they come, the ids of events before them.
func (w *Worker) store(ctx context.Context, s *saving, ids []byte) error {
	if ids != nil {
		began := time.Now()
		err := w.Snapshots.Put(ctx, s.seen.key, ids)
		s.stored = time.Since(began)
		if err != nil {
			return err
		}
	}
	return w.Snapshots.PutParts(ctx, SnapshotKey, func(yield func([]byte, error) bool) {
		for {
			select {
			case <-ctx.Done():
				yield(nil, ctx.Err())
				return
			case p, more := <-s.parts:
				if !more {
					return
				}
				began := time.Now()
				// How often findings came again is told before there is a
				// snapshot that knows it as told; after a crash in between it
				// is told again.
				if err := w.publishCounts(ctx, p.counts); err != nil {
					s.untaken = p.counts
					yield(nil, err)
					return
				}
				going := yield(p.data, nil)
				s.stored += time.Since(began)
				if !going {
					return
				}
			}
		}
	})
}

// untold is what is still to be told when storing has ended.
func (s *saving) untold() []event.FindingCount {
	all := s.untaken
	select {
	case p := <-s.parts:
		all = append(all, p.counts...)
	default:
	}
	return append(all, s.unsent...)
}

// publishCounts stores how often findings came again.
func (w *Worker) publishCounts(ctx context.Context, counts []event.FindingCount) error {
	store, ok := w.Store.(publishing)
	if !ok {
		return nil
	}
	for _, c := range counts {
		data, err := json.Marshal(c)
		if err != nil {
			continue
		}
		err = w.retry(ctx, func() error {
			_, err := store.Publish(ctx, bus.SubjectFindingCount(c.Finding), data)
			return err
		})
		if err != nil {
			return fmt.Errorf("store count of finding %s: %w", c.Finding, err)
		}
	}
	return nil
}
