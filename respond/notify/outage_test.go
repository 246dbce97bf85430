package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A pager is away for half an hour, then takes little and asks for patience,
// then resets connections after it has taken what came; deliverers die in
// between. Each page is delivered, once for each time that its taking was not
// heard of, and under one key (P10). FIREBREAK_PAGES is how many, 500 without it.
func TestOutage(t *testing.T) {
	pages, kills := 500, 20
	if n, err := strconv.Atoi(os.Getenv("FIREBREAK_PAGES")); err == nil {
		pages, kills = n, 100
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Limits{Rate: 6000, Burst: 100})
		random, begin := rand.New(rand.NewPCG(1, 2)), time.Now() // #nosec G404 -- it plays chance
		arrived, unheard, storm := map[string]int{}, 0, 0
		r.answer = func(m Message, at time.Time) error {
			switch after := at.Sub(begin); {
			case after < 30*time.Minute:
				return errors.New("connection refused")
			case after < 45*time.Minute && random.IntN(3) > 0:
				storm++
				return &Later{time.Duration(1+random.IntN(20)) * time.Second, errors.New("answered 429")}
			case random.IntN(10) == 0:
				arrived[m.Key]++ // it is there, and nobody hears of it
				unheard++
				return errors.New("connection reset")
			}
			arrived[m.Key]++
			return nil
		}
		stops := make([]func(), 2)
		for i := range stops {
			stops[i] = r.mortal(t)
		}
		for i := range pages {
			if i%(max(pages/50, 1)) == 0 {
				pass(30 * time.Second)
			}
			r.put(t, strconv.Itoa(i%(pages/2)), fmt.Sprintf("run%d/page", i))
			if i%max(pages/kills, 1) == 0 {
				stops[i%2]()
				stops[i%2] = r.mortal(t)
			}
		}
		pass(3 * time.Hour)
		for _, stop := range stops {
			stop()
		}
		sent, twice := 0, 0
		for i := range pages {
			key := fmt.Sprintf("run%d/page", i)
			sent += arrived[key]
			twice += max(arrived[key]-1, 0)
			if d := r.status(t, strconv.Itoa(i%(pages/2)), key); arrived[key] == 0 || d.State != event.DeliveryDelivered {
				t.Errorf("%s arrived %d times: %+v", key, arrived[key], d)
			}
		}
		t.Logf("%d pages, %d kills of deliverers: %d asked, %d answered 429, %d reset after they arrived; %d arrived, %d of them again; %d dead",
			pages, kills, len(r.asked), storm, unheard, sent, twice, len(r.store.dead))
		if len(arrived) != pages || len(r.store.dead) != 0 || twice > unheard+r.cut {
			t.Errorf("%d keys of %d pages, %d dead, %d again", len(arrived), pages, len(r.store.dead), twice)
		}
		if asked := len(r.asked); asked > 4*pages+2000 {
			t.Errorf("the pager was asked %d times", asked)
		}
	})
}

// mortal lets a deliverer work that dies when it is stopped: what it has sent is
// noted by nobody.
func (r *rig) mortal(t *testing.T) (kill func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	dead, done := new(atomic.Bool), make(chan error)
	store := &dying{memory: r.store, dead: dead}
	o := NewOutbox(store, r.outbox.receivers, nil)
	go func() { done <- (&Deliverer{Outbox: o, Logger: slog.New(slog.DiscardHandler)}).Run(ctx) }()
	return func() {
		r.mu.Lock()
		r.cut += r.now // these may be sent again
		r.mu.Unlock()
		dead.Store(true)
		cancel()
		<-done
	}
}

// dying is a store as one that died sees it: nothing that it says is heard.
type dying struct {
	*memory
	dead *atomic.Bool
}

func (d *dying) Append(ctx context.Context, subject string, data []byte, last uint64) (uint64, error) {
	if d.dead.Load() {
		return 0, errors.New("dead")
	}
	return d.memory.Append(ctx, subject, data, last)
}
