package drill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// place is a cluster with the pair, the runs on it, the operators' state and
// the outbox, all in one.
type place struct {
	enforces, paused, gone bool
	mode                   event.Mode
	held                   bool
	// leaks is what the evaluation of the policies names.
	leaks  string
	undone int
	says   string
	// state is what a run comes to instead of holding, ends what instead of its end.
	state, ends event.RunState
	failing     error
	// error is what the run's step failed with, stuck what its end did; refusal is
	// what an Event says of the pod that is not there.
	error, stuck, refusal string
	deaf                  error
	sent                  []notify.Message
	kept                  []byte
}

func (p *place) Pod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	if p.gone {
		return nil, fmt.Errorf("get pods %s/%s: %w", namespace, name, kube.ErrNotFound)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: "u1"}}
	ready := corev1.ConditionTrue
	if p.held && p.enforces {
		ready = corev1.ConditionFalse
	}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	return pod, nil
}

func (p *place) Refusal(context.Context, string, string) (string, error) { return p.refusal, p.deaf }

func (p *place) Begin(context.Context, event.Ref, time.Duration) (string, error) {
	if p.failing == nil {
		p.held = p.state == ""
	}
	return "run", p.failing
}

func (p *place) Run(context.Context, string) (event.Run, error) {
	run := event.Run{ID: "run", State: cmp.Or(p.state, event.RunHolding), Reason: "as told", Steps: []event.Step{{
		Name: "isolate", Error: p.error, Plan: &event.Plan{}, Receipt: &event.Receipt{Notes: []string{"leaks: of before"}},
	}}}
	if p.undone > 0 && !p.held && p.state == "" {
		run.State = cmp.Or(p.ends, event.RunClosed)
		run.Steps[0].Error = p.stuck
	}
	return run, nil
}

func (p *place) Verify(_ context.Context, _ action.Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	done.Result = event.ResultUnverified
	if p.leaks != "" {
		done.Result, done.Notes = event.ResultPartial, append(done.Notes, p.leaks)
	}
	return done, nil
}

func (p *place) End(ctx context.Context, _, says string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.held, p.says = false, says
	p.undone++
	return nil
}

func (p *place) Get(context.Context, string) ([]byte, uint64, error) {
	if p.kept == nil {
		return nil, 0, bus.ErrNotFound
	}
	return p.kept, 1, nil
}

func (p *place) Put(_ context.Context, _ string, value []byte) (uint64, error) {
	p.kept = value
	return 1, nil
}

func (p *place) Paused(context.Context) (bool, string, error) { return p.paused, "bob", nil }
func (p *place) Ceiling(context.Context) (event.Mode, error)  { return p.mode, nil }

// outbox takes the pages.
type outbox struct{ *place }

func (p outbox) Put(_ context.Context, m notify.Message) error {
	p.sent = append(p.sent, m)
	return nil
}
func (p *place) op(i int) notify.Op { return p.sent[i].Op }

func made(p *place) *Drill {
	c := DefaultConfig()
	c.Every, c.Page = conf.Duration(time.Hour), []string{"pager"}
	return &Drill{Config: c, Cluster: p, Runs: p, Verify: p, Control: p, Outbox: outbox{p}, Store: p, Logger: slog.New(slog.DiscardHandler), Active: func() bool { return true }}
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
		for name, c := range map[string]struct {
			p    *place
			want string
		}{
			"while paused":          {&place{mode: event.ModeAct, paused: true}, "paused by bob"},
			"in mode observe":       {&place{mode: event.ModeObserve}, "the mode is observe"},
			"without the pair":      {&place{mode: event.ModeAct, gone: true}, "there is no pod firebreak-drill/target-0"},
			"where it can't begin":  {&place{mode: event.ModeAct, failing: errors.New("no")}, "not held: no"},
			"where a guard says no": {&place{mode: event.ModeAct, state: event.RunDenied}, "not held: as told"},
			"where nothing moves":   {&place{mode: event.ModeAct, state: event.RunGuarding}, "not held: as told"},
			"where nothing passes":  {&place{mode: event.ModeAct, held: true, enforces: true}, "does not get through without"},
		} {
			if s := made(c.p).Once(t.Context()); s.Capability != Unknown || !strings.Contains(s.Note, c.want) || len(c.p.sent) != 0 {
				t.Errorf("%s: %+v %+v", name, s, c.p)
			}
		}
	})
}

// What leaks is named, and said of this namespace alone; the record of the run
// says what was found.
// TestDrillIsRefused: what admission refuses of a drill proves nothing. People are
// told so once, from the first drill on, with what was refused and by whom, and
// that it works again; it is never said that containment does not work.
func TestDrillIsRefused(t *testing.T) {
	const why = `patch pods d/target-0: forbidden by admission: ValidatingAdmissionPolicy "fixed" denied request: labels are fixed`
	const quota = `create Pod target-0 in StatefulSet target failed error: pods "target-0" is forbidden: exceeded quota: none`
	for name, tt := range map[string]struct {
		set  func(*place)
		want string
	}{
		"the quarantine": {func(p *place) { p.state, p.error = event.RunFailed, why }, `"fixed"`},
		"its end":        {func(p *place) { p.ends, p.stuck = event.RunNeedsHuman, why }, "could not be ended"},
		"the pod":        {func(p *place) { p.gone, p.refusal = true, quota }, "exceeded quota: none"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &place{enforces: true, mode: event.ModeAct}
				d := made(p)
				tt.set(p)
				for range 2 {
					if s := d.Once(t.Context()); s.Capability != Refused || !strings.Contains(s.Note, tt.want) || p.held {
						t.Errorf("%+v", s)
					}
				}
				if len(p.sent) != 1 || p.op(0) != notify.Trigger || !strings.HasPrefix(p.sent[0].Notice.Title, "Containment is not proved: ") || !strings.Contains(p.sent[0].Notice.Title, tt.want) {
					t.Fatalf("%+v", p.sent)
				}
				if _, known, _ := d.Contains(); known {
					t.Error("the measure says that it is known")
				}
				if _, known, _ := d.Works(); known {
					t.Error("a quarantine takes it for known")
				}
				// Not to be held for another reason meanwhile is no news.
				*p = place{paused: true, kept: p.kept, sent: p.sent}
				d.Once(t.Context())
				*p = place{mode: event.ModeAct, gone: true, kept: p.kept, sent: p.sent}
				if s := d.Once(t.Context()); s.Capability != Unknown || !strings.Contains(s.Note, "there is no pod firebreak-drill/target-0") {
					t.Errorf("%+v", s)
				}
				*p = place{mode: event.ModeAct, enforces: true, kept: p.kept, sent: p.sent}
				if s := d.Once(t.Context()); s.Capability != Enforced || len(p.sent) != 2 || p.op(1) != notify.Resolve {
					t.Errorf("%+v, %+v", s, p.sent)
				}
			})
		})
	}
}

// TestDrillIsNotTold: without the right to read Events the drill says where to look.
func TestDrillIsNotTold(t *testing.T) {
	p := &place{mode: event.ModeAct, gone: true, deaf: &kube.PermissionError{Verb: "list", Resource: "events", Namespace: "firebreak-drill"}}
	if s := made(p).Once(t.Context()); s.Capability != Unknown || !strings.Contains(s.Note, "get events") || !strings.Contains(s.Note, "missing permission") {
		t.Errorf("%+v", s)
	}
}

func TestDrillNamesWhatLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{mode: event.ModeAct, leaks: "leaks: from everywhere: NetworkPolicy d/allow allows it"}
		d := made(p)
		s := d.Once(t.Context())
		if s.Capability != Leaking || !strings.Contains(s.Note, "NetworkPolicy d/allow") || strings.Contains(s.Note, "of before") || !strings.Contains(p.says, "leaking: ") {
			t.Errorf("%+v, in the record %q", s, p.says)
		}
		if works, known, _ := d.Works(); works || known {
			t.Error("a leak of the pair's namespace counts for others")
		}
		if works, known, _ := d.Contains(); works || !known || len(p.sent) != 1 || p.op(0) != notify.Trigger {
			t.Errorf("%v %v %+v", works, known, p.sent)
		}
		// It leaks for another reason then: that is news.
		if p.leaks = ""; d.Once(t.Context()).Capability != Absent || len(p.sent) != 2 {
			t.Errorf("%+v", p.sent)
		}
	})
}

// A hold that can't be ended is not said to be well.
func TestDrillThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{mode: event.ModeAct, enforces: true, ends: event.RunNeedsHuman}
		if s := made(p).Once(t.Context()); s.Capability != Unknown || !strings.Contains(s.Note, "could not be ended") {
			t.Errorf("%+v", s)
		}
	})
}

// The next responder resolves what one before paged, and pages no second time.
func TestDrillAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{mode: event.ModeAct}
		for range 2 {
			if made(p).Once(t.Context()); len(p.sent) != 1 || p.op(0) != notify.Trigger {
				t.Fatalf("%+v", p.sent)
			}
		}
		p.enforces = true
		if made(p).Once(t.Context()); len(p.sent) != 2 || p.op(1) != notify.Resolve {
			t.Fatalf("%+v", p.sent)
		}
		// That operators pause is no news, and what was known stays known.
		d := made(p)
		p.paused = true
		if d.Once(t.Context()); len(p.sent) != 2 || d.Status().Capability != Enforced {
			t.Errorf("%+v %+v", p.sent, d.Status())
		}
		// That the pair is gone is.
		p.paused, p.gone = false, true
		if d.Once(t.Context()); len(p.sent) != 3 || p.op(2) != notify.Trigger || p.sent[2].Notice.Severity != event.SeverityMedium {
			t.Errorf("%+v", p.sent)
		}
		p.gone = false
		if d.Once(t.Context()); len(p.sent) != 4 || p.op(3) != notify.Resolve {
			t.Errorf("%+v", p.sent)
		}
	})
}

// When the service stops in the middle the end is asked for all the same.
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
