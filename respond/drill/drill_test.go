package drill

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// place is a cluster with the pair, the action on it, the operators' state and
// the outbox, all in one.
type place struct {
	enforces, paused, gone bool
	mode                   event.Mode
	held                   bool
	undone                 int
	failing                error
	sent                   []notify.Message
}

func (p *place) Pod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	if p.gone {
		return nil, errors.New("no such pod")
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "u1"}}
	ready := corev1.ConditionTrue
	if p.held && p.enforces {
		ready = corev1.ConditionFalse
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	return pod, nil
}

func (p *place) Plan(_ context.Context, r action.Request) (event.Plan, error) {
	return event.Plan{Target: r.Target}, p.failing
}

func (p *place) Do(context.Context, action.Request, event.Plan) (event.Receipt, error) {
	p.held = true
	return event.Receipt{}, nil
}

func (p *place) Undo(ctx context.Context, _ action.Request, _ event.Receipt, _ event.AtEnd) (event.Receipt, error) {
	if ctx.Err() != nil {
		return event.Receipt{}, ctx.Err()
	}
	p.held = false
	p.undone++
	return event.Receipt{}, nil
}

func (p *place) Paused(context.Context) (bool, string, error) { return p.paused, "bob", nil }
func (p *place) Ceiling(context.Context) (event.Mode, error)  { return p.mode, nil }
func (p *place) Put(_ context.Context, m notify.Message) error {
	p.sent = append(p.sent, m)
	return nil
}
func (p *place) op(i int) notify.Op { return p.sent[i].Op }

func made(p *place) *Drill {
	c := DefaultConfig()
	c.Every, c.Page = conf.Duration(time.Hour), []string{"pager"}
	return &Drill{Config: c, Cluster: p, Action: p, Control: p, Outbox: p, Logger: slog.New(slog.DiscardHandler), Active: func() bool { return true }}
}

func TestDrill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{enforces: true, mode: event.ModeAsk}
		d := made(p)
		if _, known, _ := d.Works(); known {
			t.Error("something is known before the first drill")
		}
		if s := d.Once(t.Context()); s.Capability != Enforced || p.held || p.undone != 1 || len(p.sent) != 0 {
			t.Errorf("%+v, %+v", s, p)
		}
		if works, known, _ := d.Works(); !works || !known {
			t.Error("it does not say that it works")
		}
		// Containment stops working: one page, and one that it works again.
		p.enforces = false
		for range 2 {
			if s := d.Once(t.Context()); s.Capability != Absent || p.held {
				t.Errorf("%+v", s)
			}
		}
		if works, known, _ := d.Works(); works || !known || len(p.sent) != 1 || p.op(0) != notify.Trigger {
			t.Errorf("%v %v %+v", works, known, p.sent)
		}
		p.enforces = true
		if s := d.Once(t.Context()); s.Capability != Enforced || len(p.sent) != 2 || p.op(1) != notify.Resolve || p.sent[1].Incident != p.sent[0].Incident {
			t.Errorf("%+v %+v", s, p.sent)
		}
		// What was seen long ago is not known any more.
		<-time.After(4 * time.Hour)
		if _, known, _ := d.Works(); known {
			t.Error("an old drill counts")
		}
	})
}

func TestDrillIsNotHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, p := range map[string]*place{
			"while paused":         {mode: event.ModeAct, paused: true},
			"in mode observe":      {mode: event.ModeObserve},
			"without the pair":     {mode: event.ModeAct, gone: true},
			"where it can't plan":  {mode: event.ModeAct, failing: errors.New("no")},
			"where nothing passes": {mode: event.ModeAct, held: true, enforces: true},
		} {
			if s := made(p).Once(t.Context()); s.Capability != Unknown || p.undone != 0 || len(p.sent) != 0 {
				t.Errorf("%s: %+v %+v", name, s, p)
			}
		}
	})
}

// When the service stops in the middle the hold is ended all the same.
func TestDrillEndsItsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{mode: event.ModeAct}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if s := made(p).Once(ctx); p.held || p.undone != 1 || s.Capability != Unknown || len(p.sent) != 0 {
			t.Errorf("%+v %+v", s, p)
		}
	})
}
