package tail

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// flight is a batch on its way to the store.
type flight struct {
	commits []commit
	done    chan error
}

// flush sends what was made since the last time on its way. Reading goes on
// meanwhile; the next batch waits for this one, so that at most two are in
// memory.
func (t *Follower) flush(ctx context.Context) error {
	if err := t.land(ctx); err != nil {
		return err
	}
	if len(t.touched) == 0 {
		return nil
	}
	fl := &flight{done: make(chan error, 1)}
	for g := range t.touched {
		fl.commits = g.commits(fl.commits)
	}
	clear(t.touched)
	store := t.o.Handler.Take()
	t.flight = fl
	if store == nil {
		fl.done <- nil
		return t.land(ctx)
	}
	again := Retry{Name: t.o.Name, Logger: t.o.Logger, Now: t.o.Now, Count: func() { t.count(FaultStore, 1) }}
	go func() { fl.done <- again.Do(ctx, store) }()
	return nil
}

// land waits for the batch that is on its way, and then remembers the
// positions. While it waits new files are opened, so that a rotation doesn't
// take them away.
func (t *Follower) land(ctx context.Context) error {
	fl := t.flight
	if fl == nil {
		return nil
	}
	look := time.NewTicker(t.o.Poll)
	defer look.Stop()
	for {
		select {
		case err := <-fl.done:
			t.flight = nil
			if err != nil {
				return err
			}
			for _, c := range fl.commits {
				c.file.saved = c.at
			}
			t.dirty = true
			return nil
		case <-look.C:
			if ctx.Err() == nil {
				t.discover()
			}
		}
	}
}

// keeper is what is known of the checkpoint.
type keeper struct {
	// waits is a snapshot that waits for its mark, or for another try.
	waits []position
	mark  uint64
	ready bool
	// last is when the last one was made, took how long its writing took.
	last   time.Time
	took   time.Duration
	failed int
}

// keepEvery is how often the checkpoint is written at most.
const keepEvery = time.Second

// next is when there will be something to do.
func (k *keeper) next(dirty bool) time.Time {
	if !k.ready && !dirty {
		return time.Time{}
	}
	return k.last.Add(k.every())
}

// every is longer when the writing takes long, or is refused.
func (k *keeper) every() time.Duration {
	every := max(keepEvery, 20*k.took)
	if k.failed > 0 {
		every = min(every<<min(k.failed, 5), 30*time.Second)
	}
	return every
}

// keep writes the checkpoint when it is time. What it says is never newer than
// what is settled in the store.
func (t *Follower) keep() {
	k := &t.keeper
	now := t.o.Now()
	if now.Sub(k.last) < k.every() {
		return
	}
	if !k.ready && t.dirty {
		t.snapshot()
	}
	if k.ready {
		k.last = now
		t.write()
	}
}

// keepLast writes what can be written at the end.
func (t *Follower) keepLast() {
	t.write()
	if !t.keeper.ready && t.dirty {
		t.snapshot()
		t.write()
	}
}

func (t *Follower) snapshot() {
	all := make([]position, 0, len(t.files))
	for _, f := range t.files {
		p := f.saved
		p.Path = f.path
		if f.shadow != nil && f.shadow != f {
			p.follow(f.shadow.saved)
		}
		p.Copy = f.shadow != nil
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b position) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Inode, b.Inode)) })
	t.keeper.waits, t.keeper.ready, t.keeper.mark = all, true, t.o.Mark()
	t.dirty = false
}

// write writes the snapshot once it is settled. A fault is said; until it is
// mended a crash reads more again.
func (t *Follower) write() {
	k := &t.keeper
	if !k.ready || t.o.Settled() < k.mark {
		return
	}
	start := time.Now()
	if err := saveCheckpoint(t.o.Checkpoint, k.waits); err != nil {
		k.failed++
		t.count(FaultCheckpoint, 1)
		if k.failed == 1 || k.failed%60 == 0 {
			t.o.Logger.Error("the checkpoint can't be written; after a crash more would be read again", "files", t.o.Name, "error", err)
		}
		// The next try writes what is new then.
		k.waits, k.ready, t.dirty = nil, false, true
		return
	}
	if k.failed > 0 {
		t.o.Logger.Info("the checkpoint is written again", "files", t.o.Name)
	}
	k.waits, k.ready, k.failed, k.took = nil, false, 0, time.Since(start)
}
