package guard

import (
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// pod is one as it is, whose container web runs an image.
func pod(image string, labels map[string]string) func(*world) {
	return func(w *world) {
		w.place.pod.UID, w.place.pod.ResourceVersion, w.place.pod.Name, w.place.pod.Labels = "u1", "7", "web", labels
		w.place.pod.Spec.Containers = []corev1.Container{{Name: "web", Image: image}}
		w.check.Run.Target.Container = "web"
	}
}

func all(changes ...func(*world)) func(*world) {
	return func(w *world) {
		for _, change := range changes {
			change(w)
		}
	}
}

// missing is a target that is no more.
func missing(w *world) { w.place.gone = fmt.Errorf("get pods shop/web: %w", kube.ErrNotFound) }

func was(image string) func(*world) { return func(w *world) { w.check.Run.Target.Image = image } }

func shown(labels map[string]string) func(*world) {
	return func(w *world) { w.check.Run.Finding.Subject.Labels = labels }
}

// lookedAt are the cases of the guards that look at the target: match, eyes.
func lookedAt() []judged {
	app := map[string]string{"app": "web"}
	condition := func(ok bool, err error) func(*world) {
		return func(w *world) { w.check.Matches = func(event.Ref) (bool, error) { return ok, err } }
	}
	return []judged{
		{"match", "as it was", all(pod("registry.local/shop/web:2", app), was("shop/web:2"), shown(app), condition(true, nil)), event.Pass, "as it was found"},
		{"match", "another image", all(pod("busybox", app), was("shop/web:2")), event.Ask, `image is "busybox" now`},
		{"match", "another tag", all(pod("shop/web:3", app), was("shop/web:2")), event.Ask, "web:3"},
		{"match", "no tag is known", all(pod("localhost:5000/shop/web@sha256:aa", app), was("web:2")), event.Pass, ""},
		{"match", "another label", all(pod("web", map[string]string{"app": "x"}), shown(app)), event.Ask, `"app" is "x" now, and was "web"`},
		{"match", "a label is gone", all(pod("web", nil), shown(app)), event.Ask, `"app"`},
		{"match", "a label that controllers move", all(pod("web", map[string]string{"app": "web", "pod-template-hash": "b"}), shown(map[string]string{"app": "web", "pod-template-hash": "a", "controller-revision-hash": "c"})), event.Pass, ""},
		{"match", "more labels", all(pod("web", map[string]string{"app": "web", "b": "c"}), shown(app)), event.Pass, ""},
		{"match", "the condition is no longer met", all(pod("web", app), condition(false, nil)), event.Ask, "no longer met"},
		{"match", "the condition fails", all(pod("web", app), condition(false, errors.New("no such thing"))), event.Ask, "no such thing"},
		{"match", "held already", all(pod("web", map[string]string{held: "quarantine"}), shown(app), condition(false, nil)), event.Pass, "held already"},
		{"match", "another version than the plan's", all(pod("web", app), func(w *world) { w.place.pod.ResourceVersion = "8" }), event.Wait, "changed since"},
		{"match", "another pod", all(pod("web", app), condition(false, nil), func(w *world) { w.place.pod.UID = "u2" }), event.Pass, "another pod"},
		{"match", "gone", all(pod("web", app), condition(false, nil), missing), event.Pass, "it is gone"},
		{"match", "unreadable", all(pod("web", app), func(w *world) { w.place.err = errors.New("away") }), event.Wait, "away"},
		{"match", "a step with a target of its own", all(pod("web", app), condition(false, nil), func(w *world) { w.check.Run.Target.UID = "u3" }), event.Pass, "nothing"},
		{"match", "its intent is written", all(pod("web", app), condition(false, nil), func(w *world) { w.check.Run.Steps[0].State = event.StepIntent }), event.Pass, "when its intent"},
		{"match", "observing", all(condition(false, nil), func(w *world) { w.check.Run.Mode = event.ModeObserve }), event.Pass, "nothing"},

		{"eyes", "an ordinary pod", func(*world) {}, event.Pass, "one person"},
		{"eyes", "a node", node("n1"), event.Pass, "2 people: it is about a node"},
		{"eyes", "no way back", func(w *world) { w.check.Reversible = false }, event.Pass, "2 people: it can't be undone"},
		{"eyes", "a pod is deleted", func(w *world) { w.check.Plan.Writes[0].Verb = "delete" }, event.Pass, "2 people: it deletes"},
		{"eyes", "production by the namespace", func(w *world) { w.place.namespace.Labels = map[string]string{"env": "prod"} }, event.Pass, "2 people: its namespace has the label env=prod"},
		{"eyes", "production by the pod", func(w *world) { w.place.pod.Labels = map[string]string{"environment": "production"} }, event.Pass, "2 people: the pod has"},
		{"eyes", "unreadable", func(w *world) { w.place.err = errors.New("away") }, event.Pass, "2 people"},
		{"eyes", "five pods", many(5), event.Pass, "one person"},
		{"eyes", "six pods", many(6), event.Pass, "2 people: the run is about 6 pods"},
		{"eyes", "six pods by one step", func(w *world) {
			for i := range 6 {
				w.check.Plan.Also = append(w.check.Plan.Also, event.Ref{Resource: "pods", Name: "p", UID: fmt.Sprint("also", i)})
			}
		}, event.Pass, "pods, more than 5"},
		{"eyes", "an eviction", func(w *world) { w.check.Plan.Writes[0].Subresource = "eviction" }, event.Pass, "2 people: it is eviction"},
		{"eyes", "to tell", func(w *world) { node("n1")(w); w.check.Effect = false }, event.Pass, "one person"},
		{"eyes", "operators want one", func(w *world) { node("n1")(w); w.o.Limits = DefaultLimits(); w.o.Limits.Eyes.Need = 1 }, event.Pass, "one person"},
	}
}

// many makes the run one about many pods.
func many(n int) func(*world) {
	return func(w *world) {
		w.check.Run.Steps = nil
		for i := range n {
			t := event.PodRef("shop", fmt.Sprint("web", i))
			t.UID = fmt.Sprint("u", i)
			w.check.Run.Steps = append(w.check.Run.Steps, event.Step{Name: fmt.Sprint("isolate.", i+1), Of: "isolate", Action: "pod.quarantine", Target: &t})
		}
	}
}

// TestPeople: what is over a budget, and what is grave, takes two people, and
// a yes of fewer is none.
func TestPeople(t *testing.T) {
	need := func(change func(*world)) (int, bool) {
		w := good()
		change(w)
		w.o.Ledger = written(t, w.book)
		v := New(w.o).Judge(t.Context(), w.check)
		w.check.Approved, w.check.Yes = true, 1
		return event.People(v), stands(v, w.check)
	}
	for name, tt := range map[string]struct {
		change func(*world)
		need   int
		one    bool
	}{
		"nothing grave":        {func(*world) {}, 0, true},
		"asked for its age":    {func(w *world) { w.check.Run.Finding.Time = now.Add(-11 * time.Minute) }, 0, true},
		"over the budget":      {book(spread(10)), 2, false},
		"too fast":             {book(fast(12)), 2, false},
		"it can't be undone":   {func(w *world) { w.check.Reversible = false }, 2, false},
		"operators want three": {func(w *world) { w.o.Limits = DefaultLimits(); w.o.Limits.Eyes.Need = 3; w.check.Reversible = false }, 3, false},
		"operators want one":   {func(w *world) { w.o.Limits = DefaultLimits(); w.o.Limits.Eyes.Need = 1; book(spread(10))(w) }, 0, true},
	} {
		if got, one := need(tt.change); got != tt.need || one != tt.one {
			t.Errorf("%s: it takes %d people, want %d; one is enough: %v", name, got, tt.need, one)
		}
	}
}

// fast are effects of just now that stand no more.
func fast(n int) func(*Book) {
	return func(b *Book) {
		spread(n)(b)
		for i := range b.Entries {
			b.Entries[i].Taken, b.Entries[i].Ended = now, &now
		}
	}
}

// TestGraverOnesHaveTheirPlace: a thousand runs of low priority, and any number
// of high priority, leave places and speed to a critical one.
func TestGraverOnesHaveTheirPlace(t *testing.T) {
	w := good()
	store := &memory{}
	w.o.Ledger, w.o.Limits = NewLedger(store), DefaultLimits()
	w.o.Limits.Canary = 0
	s := New(w.o)
	take := func(n int, p event.Severity, later int) bool {
		c := attempt(w, n)
		c.Run.Incident.Priority = p
		c.Run.Playbook = fmt.Sprint("book", n) // how often one acts within an hour is another bound
		c.Run.Finding.Source = event.Source(fmt.Sprint("s", n))
		c.Now = now.Add(time.Duration(later) * time.Second)
		c.Run.Finding.Time, c.Run.Finding.Received = c.Now, c.Now
		_, r := s.Take(t.Context(), c, s.Judge(t.Context(), c))
		return r != nil
	}
	took := map[event.Severity]int{}
	at := 0
	for n := range 1000 {
		if take(n, event.SeverityLow, n) {
			took[event.SeverityLow]++
		}
		at = n
	}
	for n := range 100 {
		at++
		if take(2000+n, event.SeverityHigh, at) {
			took[event.SeverityHigh]++
		}
	}
	for n := range 5 {
		at++
		if take(3000+n, event.SeverityCritical, at) {
			took[event.SeverityCritical]++
		}
	}
	if took[event.SeverityLow] != 7 || took[event.SeverityHigh] != 2 || took[event.SeverityCritical] != 1 {
		t.Errorf("of 10 places low ones have %d, high ones %d and critical ones %d; want 7, 2 and 1",
			took[event.SeverityLow], took[event.SeverityHigh], took[event.SeverityCritical])
	}
}
