package bus

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	// pipelined is how many records of a stream are sent one by one before others
	// wait.
	pipelined = 8
	// minGroup is how many must wait before they go together: the server stages a
	// batch on disk, which takes it as long as a dozen syncs. maxGroup is how many
	// do, and maxGroupBytes how much: who waits for the last waits for all. One that
	// is larger than maxGrouped goes alone, since it may be refused.
	minGroup      = 16
	maxGroup      = 256
	maxGroupBytes = 4 << 20
	maxGrouped    = 256 << 10
)

// group commits the records of a stream. They are sent one by one while few come,
// and as an atomic batch with one sync when many wait. Each stays conditional on
// the last record of its own subject: a batch that the server refuses is sent
// again one by one, so that each has its own answer. It may be used concurrently.
type group struct {
	bus *Bus

	mu      sync.Mutex
	waiting []*grouped
	// senders is how many goroutines send; each goes on until nothing waits.
	senders int
	// batched says that one of them sends a batch.
	batched bool
}

// grouped is one record that waits; done is closed when it has its answer.
type grouped struct {
	ctx  context.Context //nolint:containedctx // who stores it is another goroutine
	data Record
	last uint64

	done chan struct{}
	seq  uint64
	err  error
}

// append stores a record as [Bus.Append] says.
func (g *group) append(ctx context.Context, r Record, last uint64) (uint64, error) {
	w := &grouped{ctx: ctx, data: r, last: last, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	if g.senders < pipelined {
		g.senders++
		go g.send()
	}
	g.mu.Unlock()
	select {
	case <-w.done:
		return w.seq, w.err
	case <-ctx.Done():
		return 0, join(ErrUnknown, ctx.Err())
	}
}

// send stores what waits, until nothing does.
func (g *group) send() {
	for {
		batch := g.next()
		if batch == nil {
			return
		}
		g.store(batch)
		for _, w := range batch {
			close(w.done)
		}
		if len(batch) > 1 {
			g.mu.Lock()
			g.batched = false
			g.mu.Unlock()
		}
	}
}

// next takes the first that waits, or, when many do, what goes together: of each
// subject one record. It is nil when nothing waits; then the sender has ended.
func (g *group) next() []*grouped {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.senders--
		return nil
	}
	first := g.waiting[0]
	if g.batched || len(g.waiting) < minGroup || len(first.data.Data) > maxGrouped {
		g.waiting = g.waiting[1:]
		return []*grouped{first}
	}
	var batch, rest []*grouped
	subjects, size := map[string]bool{}, 0
	for _, w := range g.waiting {
		n := len(w.data.Data)
		if subjects[w.data.Subject] || n > maxGrouped || len(batch) == maxGroup || size+n > maxGroupBytes {
			rest = append(rest, w)
			continue
		}
		subjects[w.data.Subject] = true
		batch, size = append(batch, w), size+n
	}
	g.waiting, g.batched = rest, len(batch) > 1
	return batch
}

func (g *group) store(batch []*grouped) {
	if len(batch) > 1 {
		records, last := make([]Record, len(batch)), make([]uint64, len(batch))
		for i, w := range batch {
			records[i], last[i] = w.data, w.last
		}
		// Who waits may give up; the others do not.
		end, err := g.bus.storeAll(context.WithoutCancel(batch[0].ctx), records, last)
		if err == nil || errors.Is(err, ErrUnknown) {
			for i, w := range batch {
				w.seq, w.err = end-uint64(len(batch)-1-i), err
			}
			return
		}
	}
	var each errgroup.Group
	for _, w := range batch {
		each.Go(func() error {
			w.seq, w.err = g.bus.sendAlone(w.ctx, w.data, w.last)
			return nil
		})
	}
	_ = each.Wait() // each has its own answer
}
