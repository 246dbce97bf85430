package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestGroupedAppends: of records that come at the same time each gets the sequence under which it is stored, or the
// conflict that it has, whatever becomes of those that are synced with it.
func TestGroupedAppends(t *testing.T) {
	b := open(t, t.TempDir())
	const subjects, rounds = 20, 15
	var stored sync.Map // sequence to what was said to be stored there
	var group errgroup.Group
	for i := range subjects {
		subject := SubjectRun(fmt.Sprint("r", i))
		group.Go(func() error {
			var last uint64
			for n := range rounds {
				// A rival writes after the same record; now and then somebody who is
				// late does, too.
				var pair errgroup.Group
				var won [2]uint64
				for k := range won {
					pair.Go(func() error {
						data := fmt.Sprintf("%s %d %d", subject, n, k)
						seq, err := b.Append(t.Context(), subject, []byte(data), last)
						switch {
						case err == nil:
							won[k] = seq
							stored.Store(seq, subject+"="+data)
						case !errors.Is(err, ErrConflict):
							return err
						}
						return nil
					})
				}
				if err := pair.Wait(); err != nil {
					return err
				}
				if (won[0] == 0) == (won[1] == 0) {
					return fmt.Errorf("%s: of two after %d these were stored: %v", subject, last, won)
				}
				stale := last
				last = max(won[0], won[1])
				if n%3 == 0 {
					if _, err := b.Append(t.Context(), subject, []byte("late"), stale); !errors.Is(err, ErrConflict) {
						return fmt.Errorf("%s: one who is late got %w", subject, err)
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i := range subjects {
		n := 0
		for m, err := range b.History(t.Context(), SubjectRun(fmt.Sprint("r", i))) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if said, _ := stored.Load(m.Sequence); said != m.Subject+"="+string(m.Data) {
				t.Errorf("at %d is %s of %s, and was said to be %v", m.Sequence, m.Data, m.Subject, said)
			}
		}
		if n != rounds {
			t.Errorf("%d records of subject %d, want %d", n, i, rounds)
		}
	}
}

// TestGroup: of each subject one record goes at a time, a large one alone, in order; and who gave up is not written for.
func TestGroup(t *testing.T) {
	record := func(subject string, size int) *grouped {
		return &grouped{ctx: t.Context(), data: Record{Subject: subject, Data: make([]byte, size)}, done: make(chan struct{})}
	}
	g := &group{senders: 1}
	g.waiting = []*grouped{record("large", maxGrouped+1), record("a", 1), record("b", 1), record("a", 2), record("large", maxGrouped+1)}
	for i := range 2 * maxGroup {
		g.waiting = append(g.waiting, record(fmt.Sprint(i), 64<<10))
	}
	var sizes []int
	for batch := g.next(); batch != nil; batch = g.next() {
		size, seen := 0, map[string]bool{}
		for _, w := range batch {
			size += len(w.data.Data)
			if seen[w.data.Subject] || w.data.Subject == "large" && len(batch) > 1 {
				t.Errorf("%s is not alone among %d", w.data.Subject, len(batch))
			}
			seen[w.data.Subject] = true
		}
		if len(batch) > 1 && (size > maxGroupBytes || len(batch) > maxGroup) {
			t.Errorf("%d records of %d bytes go together", len(batch), size)
		}
		sizes = append(sizes, len(batch))
		g.batched = len(sizes) == 3 // while a batch is under way the next goes alone
	}
	total := 0
	for _, n := range sizes {
		total += n
	}
	if total != 5+2*maxGroup || sizes[0] != 1 || sizes[1] < minGroup || sizes[3] != 1 || g.senders != 0 {
		t.Errorf("%d senders are left, and %d records went as %v", g.senders, total, sizes)
	}
	b := open(t, t.TempDir())
	gone, cancel := context.WithCancel(t.Context())
	w := record(SubjectRun("gone"), 1)
	w.ctx = gone
	cancel()
	other := record(SubjectRun("other"), 1)
	(&group{bus: b}).store([]*grouped{w})
	(&group{bus: b}).store([]*grouped{other})
	if _, err := b.Last(t.Context(), SubjectRun("gone")); !errors.Is(err, ErrNotFound) || w.err == nil || other.err != nil {
		t.Errorf("%v, %v, %v", err, w.err, other.err)
	}
}

// BenchmarkAppendTogether is one transition of each of fifty runs of 4 KiB at the same time.
func BenchmarkAppendTogether(b *testing.B) {
	const runs = 50
	bus := open(b, b.TempDir())
	record, last := make([]byte, 4<<10), make([]uint64, runs)
	for b.Loop() {
		var group errgroup.Group
		for i := range last {
			group.Go(func() (err error) {
				last[i], err = bus.Append(b.Context(), SubjectRun(fmt.Sprint("r", i)), record, last[i])
				return err
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(runs)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
