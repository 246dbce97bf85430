package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/drill"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// TestDrillsBySchedule: of two responders the one that acts holds drills by
// itself, on the shipped pair of the real control plane. What breaks is paged by
// one, and resolved by the other, which acts by then; no two drills are held at
// once, and nothing is left of any.
func TestDrillsBySchedule(t *testing.T) {
	d := newDrilled(t)
	before := marks(t, d.target().ObjectMeta)
	eventually(t, "the prober gets through", func(ctx context.Context) error {
		if !isReady(*getPod(t, d.admin, drillSpace, "prober-0")) {
			return fmt.Errorf("it does not")
		}
		return nil
	})
	var active atomic.Value
	active.Store("a")
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, name := range []string{"a", "b"} {
		one := &drill.Drill{
			Config: drill.Config{
				Every: conf.Duration(2 * time.Second), Wait: conf.Duration(15 * time.Second), Namespace: drillSpace, Target: "target-0", Prober: "prober-0", Page: []string{"pager"},
			},
			Cluster: d.Cluster, Runs: respond.NewDrills(d.store), Verify: d.Verify, Control: d.Control, Outbox: d.pages, Store: d.store.Control(),
			Logger: slog.New(slog.DiscardHandler), Tick: 50 * time.Millisecond, Active: func() bool { return active.Load() == name },
		}
		all.Go(func() { one.Run(ctx) })
	}
	defer func() { stop(); all.Wait() }()
	d.held(2)
	d.plugin.set(true, false) // it enforces nothing
	d.says(notify.Trigger, "does not enforce")
	active.Store("b")
	d.plugin.set(false, false)
	d.says(notify.Resolve, "works again")
	stop()
	all.Wait()
	eventually(t, "nothing is left over", func(ctx context.Context) error {
		list, err := d.drills(ctx)
		for _, run := range list {
			if !run.State.Terminal() {
				return fmt.Errorf("drill %s is %s", run.ID, run.State)
			}
		}
		if now := marks(t, d.target().ObjectMeta); err == nil && (now != before || hasPolicy(t, d.admin, drillSpace)) {
			err = fmt.Errorf("the target is %s", now)
		}
		return err
	})
	d.apart()
}

// says waits for the page that comes last to be this one.
func (d *drilled) says(op notify.Op, part string) {
	d.t.Helper()
	eventually(d.t, string(op), func(context.Context) error {
		if m := d.pages.last(); m.Op != op || !strings.Contains(m.Notice.Title, part) {
			return fmt.Errorf("the last page is %s %q", m.Op, m.Notice.Title)
		}
		return nil
	})
}

// drills are the newest records of the drills' runs.
func (d *drilled) drills(ctx context.Context) (list []event.Run, err error) {
	for rec, err := range d.log.All(ctx) {
		if err != nil {
			return nil, err
		}
		if rec.Run.Drill {
			list = append(list, rec.Run)
		}
	}
	return list, nil
}

// held waits until that many drills were held to their end.
func (d *drilled) held(n int) {
	d.t.Helper()
	eventually(d.t, fmt.Sprintf("%d drills", n), func(ctx context.Context) error {
		list, err := d.drills(ctx)
		over := 0
		for _, run := range list {
			if run.State == event.RunClosed {
				over++
			}
		}
		if err == nil && over < n {
			err = fmt.Errorf("there were %d of %d", over, len(list))
		}
		return err
	})
}

// apart says that each drill was over before the next began.
func (d *drilled) apart() {
	d.t.Helper()
	list, err := d.drills(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	for _, a := range list {
		for _, b := range list {
			if a.ID != b.ID && !a.Created.After(b.Created) && a.Updated.After(b.Created) {
				d.t.Errorf("drill %s began %s, before %s was over %s", b.ID, b.Created, a.ID, a.Updated)
			}
		}
	}
	d.t.Logf("%d drills by schedule", len(list))
}
