package respond

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// holding is a rig with a run that holds pod a, and a quick reconciler.
func holding(t *testing.T) *rig {
	r := newRig(t, newCluster("a", "b"), actBook)
	r.every, r.orphan = 50*time.Millisecond, 200*time.Millisecond
	r.start()
	r.publish(finding("shell", "a", 1))
	r.until("the run holds", r.all(1, event.RunHolding))
	return r
}

func (r *rig) pod(name string) *corev1.Pod {
	r.t.Helper()
	p, err := r.cluster.Pod(r.t.Context(), "shop", name)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// TestLateWriteIsFreed: what a paused responder writes after the run was over
// does not stay.
func TestLateWriteIsFreed(t *testing.T) {
	r := holding(t)
	late := r.pod("a")
	r.say(event.Input{Run: r.runs()[0].ID, Kind: event.InputUndo, User: "ann"})
	r.until("the run is closed", r.all(1, event.RunClosed))
	r.cluster.meddle("a", func(p *corev1.Pod) { p.Labels, p.Annotations = late.Labels, late.Annotations })
	r.until("it is freed", func() bool {
		v, _ := r.cluster.label("a", "suspect")
		return v == "" && len(r.pod("a").Annotations) == 0
	})
}

// TestForgedHoldIsFreed: a copy of a hold on another object is nobody's.
func TestForgedHoldIsFreed(t *testing.T) {
	r := holding(t)
	held := r.pod("a")
	r.cluster.meddle("b", func(p *corev1.Pod) { p.Labels, p.Annotations = held.Labels, held.Annotations })
	r.until("it is freed", func() bool { return len(r.pod("b").Annotations) == 0 })
	if v, _ := r.cluster.label("a", "suspect"); v != "yes" {
		t.Error("the true one was freed")
	}
}

// TestMadeUpHoldsTakeTurns: thousands of holds that somebody made up on one object
// don't keep a round from the others; what a round leaves is freed in the next.
func TestMadeUpHoldsTakeTurns(t *testing.T) {
	r := newRig(t, newCluster("a", "b"), actBook)
	r.start()
	r.crash() // its own rounds would be among those that are counted
	forge := func(pod string, n int) {
		runs := map[string]any{}
		for i := range n {
			runs[event.HashID(pod, fmt.Sprint(i))+"/isolate"] = map[string]any{"until": "2026-01-02T03:04:05Z"}
		}
		data, err := json.Marshal(map[string]any{"suspect": map[string]any{"value": "yes", "runs": runs}})
		if err != nil {
			t.Fatal(err)
		}
		r.cluster.meddle(pod, func(p *corev1.Pod) {
			p.Labels = map[string]string{"suspect": "yes", action.HeldKey: action.HeldYes}
			p.Annotations = map[string]string{action.LabelKey: string(data)}
		})
	}
	forge("a", maxFreed+3)
	forge("b", 1)
	rec := newReconciler(r.worker, 0)
	for _, want := range []int{3, 0} {
		if err := rec.round(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := action.HoldingsOf(event.Ref{}, nil, r.pod("a").Annotations)
		if err != nil || len(list) != want || len(r.pod("b").Annotations) != 0 {
			t.Errorf("%d are left of those on one object, want %d (%v); the other has %v", len(list), want, err, r.pod("b").Annotations)
		}
	}
}

// TestLostHoldComesBack: a hold that somebody takes off is set again, three
// times; then people are asked.
func TestLostHoldComesBack(t *testing.T) {
	r := holding(t)
	until := *r.runs()[0].Steps[0].Until
	for i := range maxResets + 1 {
		r.cluster.meddle("a", func(p *corev1.Pod) { p.Labels, p.Annotations = map[string]string{"app": "web"}, nil })
		if i == maxResets {
			r.until("people are asked", func() bool { return r.runs()[0].Steps[0].Differs != "" })
			break
		}
		r.until("it is set again", func() bool { return r.runs()[0].Steps[0].Again == i+1 })
		if v, _ := r.cluster.label("a", "suspect"); v != "yes" {
			t.Errorf("label is %q", v)
		}
	}
	if s := r.runs()[0].Steps[0]; !s.Until.Equal(until) {
		t.Errorf("the end moved to %s", s.Until)
	}
	r.say(event.Input{Run: r.runs()[0].ID, Kind: event.InputUndo, User: "ann"})
	r.until("the run is closed", r.all(1, event.RunClosed))
	r.chained()
}

// TestAdoption: with the record lost, objects are freed at the end that they
// show, and not before.
func TestAdoption(t *testing.T) {
	r := holding(t)
	r.publish(finding("shell", "b", 1))
	r.until("both hold", r.all(2, event.RunHolding))
	for _, run := range r.runs() {
		if run.Target.Name == "b" {
			r.say(event.Input{Run: run.ID, Kind: event.InputExtend, User: "ann", Until: time.Now().UTC().Add(3 * time.Hour)})
		}
	}
	r.until("the object shows it", func() bool {
		list, err := action.HoldingsOf(event.Ref{}, nil, r.pod("b").Annotations)
		return err == nil && time.Until(list[0].Until) > 2*time.Hour
	})
	r.crash()
	if err := r.bus.Close(); err != nil {
		t.Fatal(err)
	}
	r.dir = t.TempDir()
	r.open()
	r.now = func() time.Time { return time.Now().UTC().Add(2 * time.Hour) }
	r.start()
	r.until("the one whose time is up is freed", func() bool { return len(r.pod("a").Annotations) == 0 })
	if v, _ := r.cluster.label("b", "suspect"); v != "yes" || len(r.runs()) != 0 {
		t.Errorf("the other has label %q; %d runs", v, len(r.runs()))
	}
}

// TestAlteredHoldIsSaid: what somebody makes of it while it holds is theirs; it is
// not set again, and people are asked, but not again about what they let stand.
func TestAlteredHoldIsSaid(t *testing.T) {
	r := holding(t)
	r.cluster.meddle("a", func(p *corev1.Pod) { p.Labels["suspect"] = "no" })
	r.until("people are asked", func() bool { return strings.Contains(r.runs()[0].Steps[0].Differs, `label suspect of`) })
	if v, _ := r.cluster.label("a", "suspect"); v != "no" || r.runs()[0].Steps[0].Again != 0 {
		t.Errorf("label is %q", v)
	}
	r.say(event.Input{Run: r.runs()[0].ID, Kind: event.InputKeep, User: "ann"})
	r.until("they keep it", func() bool { return r.runs()[0].Steps[0].Differs == "" })
	c := newReconciler(r.worker, 0)
	c.remember(r.runs()[0].ID + "/label " + `label suspect of ` + r.runs()[0].Target.String() + ` is "no", and was set to "yes"`)
	for range 2 * watchEvery {
		if err := c.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d := r.runs()[0].Steps[0].Differs; d != "" {
		t.Errorf("asked again: %s", d)
	}
	r.say(event.Input{Run: r.runs()[0].ID, Kind: event.InputUndo, User: "ann", Over: true})
	r.until("the run is closed", r.all(1, event.RunClosed))
	r.chained()
}

// TestTurnsAreSpread: each hold is looked at once in so many rounds.
func TestTurnsAreSpread(t *testing.T) {
	r := newReconciler(&Worker{}, 0)
	in := map[int]int{}
	for n := range 600 {
		seen := 0
		for r.rounds = 0; r.rounds < watchEvery; r.rounds++ {
			if r.turn(event.HashID(fmt.Sprint(n))+"/isolate") == 0 {
				seen++
				in[r.rounds]++
			}
		}
		if seen != 1 {
			t.Fatalf("looked at %d times", seen)
		}
	}
	for round, n := range in {
		if n < 50 || n > 150 {
			t.Errorf("round %d looks at %d of 600", round, n)
		}
	}
}

// TestReconcilerLeavesWhatIsWanted: over many rounds, holds that runs have are
// not written again.
func TestReconcilerLeavesWhatIsWanted(t *testing.T) {
	r := newRig(t, newCluster("a", "b"), actBook)
	r.every = time.Hour // only the rounds below
	r.start()
	r.publish(finding("shell", "a", 1))
	r.until("the run holds", r.all(1, event.RunHolding))
	_, before := r.cluster.label("a", "suspect")
	reads := r.cluster.count()
	c := newReconciler(r.worker, 0)
	for range 20 {
		if err := c.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, after := r.cluster.label("a", "suspect"); after != before || r.cluster.count() > reads+5+20/watchEvery {
		t.Errorf("%d writes, %d reads", after-before, r.cluster.count()-reads)
	}
}
