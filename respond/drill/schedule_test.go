package drill

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// counted counts the drills that are begun.
type counted struct {
	*place
	begun int
}

func (c *counted) Begin(ctx context.Context, target event.Ref, hold time.Duration) (string, error) {
	c.begun++
	return c.place.Begin(ctx, target, hold)
}

// Of two responders the one that acts holds drills: the first after a minute,
// then at the interval, and the other goes on where it left off.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{place: &place{enforces: true, mode: event.ModeAct}}
		active := "a"
		responder := func(name string) *Drill {
			d := made(c.place)
			d.Runs, d.Config.Every = c, conf.Duration(10*time.Minute)
			d.Active = func() bool { return active == name }
			go d.Run(t.Context())
			return d
		}
		responder("a")
		b := responder("b")
		after := func(d time.Duration, want int) {
			t.Helper()
			<-time.After(d)
			synctest.Wait()
			if c.begun != want || c.undone != want || c.held {
				t.Fatalf("%d drills, %d ended, want %d", c.begun, c.undone, want)
			}
		}
		after(59*time.Second, 0)
		after(time.Minute, 1)
		after(10*time.Minute, 2)
		if _, known, _ := b.Works(); !known {
			t.Error("the one that does not act knows nothing")
		}
		active = "b"
		after(10*time.Minute, 3)
		active = "nobody"
		after(time.Hour, 3)
	})
}

// A responder dies while a drill of its holds: the next one leaves that drill
// alone until it is over by itself, and pages nobody.
func TestKilledInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{enforces: true, mode: event.ModeAct}
		if s := made(p).Once(t.Context()); s.Capability != Enforced {
			t.Fatalf("%+v", s)
		}
		<-time.After(time.Hour)
		p.undone = 0 // the run of the next one stands
		dead := made(p)
		dead.load(t.Context())
		dead.begun(t.Context(), "run", time.Now().Add(3*time.Minute))
		p.held = true
		next := made(p)
		go next.Run(t.Context())
		<-time.After(90 * time.Second)
		if s := next.Status(); p.undone != 0 || len(p.sent) != 0 || s.Capability != Enforced {
			t.Fatalf("%+v %+v", s, p.sent)
		}
		if s := next.Once(t.Context()); !s.later || !strings.Contains(s.Note, "drill run is under way") {
			t.Errorf("%+v", s)
		}
		p.held, p.undone = false, 1 // its time is up
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if s := next.Status(); p.undone != 2 || len(p.sent) != 0 || s.Capability != Enforced || time.Since(s.At) > 3*time.Minute {
			t.Errorf("%+v %+v", s, p)
		}
	})
}

// What nobody ends is not waited for for ever.
func TestUnderWayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{enforces: true, mode: event.ModeAct}
		d := made(p)
		d.begun(t.Context(), "run", time.Now().Add(time.Minute))
		if d.underWay(t.Context()) != "run" {
			t.Error("it is not under way")
		}
		<-time.After(3 * time.Minute)
		if id := d.underWay(t.Context()); id != "" {
			t.Errorf("%s is under way still", id)
		}
	})
}

// Whoever ends the drill's hold is no proof that containment fails.
func TestEndedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{mode: event.ModeAct}
		d := made(p)
		go func() {
			<-time.After(5 * time.Second)
			p.held, p.undone = false, 1
		}()
		if s := d.Once(t.Context()); s.Capability != Unknown || !strings.Contains(s.Note, "was ended meanwhile") || len(p.sent) != 0 {
			t.Errorf("%+v %+v", s, p.sent)
		}
	})
}
