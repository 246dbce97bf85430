package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// world is a namespace in which runs, other people and crashes meddle with
// one pod in a random order.
type world struct {
	*fake
	t      *rapid.T
	q      Action
	uid    string            // of the pod that the runs are about
	want   map[string]string // the labels that it must have in the end
	gone   bool
	plans  map[string][]event.Plan
	ended  map[string]bool // an undo was begun: the run plans no more
	over   map[string]bool // an undo was done
	inside bool
}

var (
	errCrash = errors.New("crash")
	keys     = []string{"a", "b", "c", "d"}
	values   = []string{"1", "2"}
)

func (w *world) labels(name string) map[string]string {
	return rapid.MapOfN(rapid.SampledFrom(keys), rapid.SampledFrom(values), 0, len(keys)).Draw(w.t, name)
}

func (w *world) selector() metav1.LabelSelector {
	var s metav1.LabelSelector
	for range rapid.IntRange(0, 2).Draw(w.t, "requirements") {
		e := expr(rapid.SampledFrom(keys).Draw(w.t, "key"), rapid.SampledFrom([]metav1.LabelSelectorOperator{
			"In", "NotIn", "Exists", "DoesNotExist"}).Draw(w.t, "operator"))
		if strings.HasSuffix(string(e.Operator), "In") {
			e.Values = []string{rapid.SampledFrom(values).Draw(w.t, "value")}
		}
		s.MatchExpressions = append(s.MatchExpressions, e)
	}
	return s
}

func newWorld(t *rapid.T) *world {
	w := &world{fake: newFake(), t: t, plans: map[string][]event.Plan{}, ended: map[string]bool{}, over: map[string]bool{}}
	w.want = w.labels("labels")
	w.uid = w.put(t, "pods", pod("p", maps.Clone(w.want)))
	for i := range rapid.IntRange(0, 2).Draw(t, "services") {
		w.put(t, "services", service(fmt.Sprint("s", i), w.labels("service")))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "policies") {
		w.put(t, "networkpolicies", policy(fmt.Sprint("n", i), w.selector()))
	}
	if rapid.IntRange(0, 9).Draw(t, "foreign policy") == 0 {
		w.put(t, "networkpolicies", policy(HoldPolicyName, w.selector()))
	}
	w.q = quarantine{Deps: Deps{Cluster: w}}
	w.before = func(event.Write) error { return w.interfere() }
	w.after = func(x event.Write) error { w.late(x); return w.interfere() }
	return w
}

// interfere is what can happen around each write.
func (w *world) interfere() error {
	switch n := rapid.IntRange(0, 19).Draw(w.t, "interference"); n {
	case 0:
		return errCrash
	case 1:
		w.meddle()
	case 2:
		w.status()
	case 3:
		w.recreate()
	case 4, 5:
		// Another worker gets in between, once.
		if !w.inside {
			w.inside = true
			if n == 4 {
				w.do()
			} else {
				w.undo()
			}
			w.inside = false
		}
	}
	return nil
}

// meddle is somebody else who changes a label. Taking off one that is off
// already because it is held changes nothing.
func (w *world) meddle() {
	p, err := w.Pod(w.t.Context(), ns, "p")
	if err != nil {
		return
	}
	k := rapid.SampledFrom(keys).Draw(w.t, "their key")
	rec, _, _ := parseQuarantine(p.Annotations)
	_, saved := rec.Labels[k]
	if p.Labels == nil {
		p.Labels = map[string]string{}
	}
	if v := rapid.SampledFrom(append(values, "")).Draw(w.t, "their value"); v != "" {
		p.Labels[k] = v
		if !w.gone {
			w.want[k] = v
		}
	} else if !saved {
		delete(p.Labels, k)
		if !w.gone {
			delete(w.want, k)
		}
	}
	w.put(w.t, "pods", p)
}

// status is the kubelet: only the resourceVersion moves.
func (w *world) status() {
	if p, err := w.Pod(w.t.Context(), ns, "p"); err == nil {
		w.put(w.t, "pods", p)
	}
}

// recreate gives the pod's name to another pod.
func (w *world) recreate() {
	if rapid.IntRange(0, 4).Draw(w.t, "really") > 0 {
		return
	}
	w.put(w.t, "pods", pod("p", w.labels("new labels")))
	w.gone = true
}

func (w *world) run() Request {
	return podRequest(rapid.SampledFrom([]string{"A/s", "B/s"}).Draw(w.t, "run"), "p", w.uid)
}

// do plans if the run may still, else it is a worker that was paused: it does
// an old plan.
func (w *world) do() {
	r := w.run()
	old := w.plans[r.Key]
	if !w.ended[r.Key] && (len(old) == 0 || rapid.Bool().Draw(w.t, "plan again")) {
		p, err := w.q.Plan(w.t.Context(), r)
		if err != nil {
			w.allow(err)
			return
		}
		old = append(old, p)
		w.plans[r.Key] = old
	}
	if len(old) == 0 {
		return
	}
	_, err := w.q.Do(w.t.Context(), r, rapid.SampledFrom(old).Draw(w.t, "plan"))
	w.allow(err)
}

// late fails when a run whose undo was done holds the pod again: a worker
// that was paused has written.
func (w *world) late(x event.Write) {
	p, err := w.Pod(w.t.Context(), ns, "p")
	if err != nil {
		return
	}
	rec, _, _ := parseQuarantine(p.Annotations)
	for key := range rec.Runs {
		if w.over[key] {
			w.t.Fatalf("a late write: %s", x.Body)
		}
	}
}

func (w *world) undo() {
	r := w.run()
	w.ended[r.Key] = true
	_, err := w.q.Undo(w.t.Context(), r, event.Receipt{}, event.AtEndRestore)
	w.allow(err)
	w.over[r.Key] = w.over[r.Key] || err == nil
}

func (w *world) allow(err error) {
	for _, ok := range []error{nil, errCrash, ErrConflict, ErrGone, ErrForeign, ErrDiffers} {
		if errors.Is(err, ok) {
			return
		}
	}
	w.t.Fatal(err)
}

// text is an object to the byte, empty when there is none.
func (w *world) text(resource, name string) string {
	o, ok := w.objects[at(resource, ns, name)]
	if !ok {
		return ""
	}
	data, err := json.Marshal(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

func TestQuarantineNeverHarms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		foreign := w.text("networkpolicies", HoldPolicyName)
		t.Repeat(map[string]func(*rapid.T){
			"do":     func(*rapid.T) { w.do() },
			"undo":   func(*rapid.T) { w.undo() },
			"meddle": func(*rapid.T) { w.meddle() },
			"status": func(*rapid.T) { w.status() },
			"":       func(*rapid.T) { w.check(foreign) },
		})
		w.before, w.after = nil, nil
		for _, key := range []string{"A/s", "B/s"} {
			r := podRequest(key, "p", w.uid)
			_, err := w.q.Undo(t.Context(), r, event.Receipt{}, event.AtEndRestore)
			if errors.Is(err, ErrDiffers) {
				r.Over = true // as people say when they were asked
				_, err = w.q.Undo(t.Context(), r, event.Receipt{}, event.AtEndRestore)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := Sweep(t.Context(), w, ns); err != nil {
			t.Fatal(err)
		}
		if got := w.text("networkpolicies", HoldPolicyName); got != foreign {
			t.Fatalf("policy in the end: %s", got)
		}
		if w.gone {
			return
		}
		p, err := w.Pod(t.Context(), ns, "p")
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(p.Labels, w.want) || len(p.Annotations) > 0 {
			t.Fatalf("labels %v, annotations %v, not %v", p.Labels, p.Annotations, w.want)
		}
	})
}

// check is what holds at every moment.
func (w *world) check(foreign string) {
	for _, x := range w.landed {
		if x.Resource == "pods" && x.UID != w.uid {
			w.t.Fatalf("wrote to another pod: %+v", x)
		}
		if x.Resource != "pods" && x.Name != HoldPolicyName {
			w.t.Fatalf("wrote to %s", x.Name)
		}
	}
	w.landed = nil
	if foreign != "" && w.text("networkpolicies", HoldPolicyName) != foreign {
		w.t.Fatal("a policy that was not ours was changed")
	}
	p, err := w.Pod(w.t.Context(), ns, "p")
	if err != nil || w.gone && slices.Contains(slices.Collect(maps.Keys(p.Labels)), HoldKey) {
		w.t.Fatal("the other pod is held", err)
	}
}
