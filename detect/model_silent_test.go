package detect

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// hushed runs a shop of which one service says nothing from a minute on.
func hushed(t *testing.T, g *Engine, s *shop, from time.Time, minutes, service, silentFrom int) (found []event.Finding) {
	t.Helper()
	for minute := range minutes {
		at := from.Add(time.Duration(minute) * time.Minute)
		var all []event.Event
		for i := range s.services {
			if more := s.minute(at, i, incident{}); i != service || minute < silentFrom {
				all = append(all, more...)
			}
		}
		slices.SortStableFunc(all, func(a, b event.Event) int { return a.Time.Compare(b.Time) })
		for i := range all {
			found = append(found, folded(t, g, all[i])...)
		}
	}
	return found
}

// A service that falls silent while others go on is found, and named is that
// nothing comes; without silent in the document it is not. Nothing is found of
// it when all are silent, as at the end of a recording.
func TestSilentService(t *testing.T) {
	for _, c := range []struct {
		name   string
		change string
		want   bool
	}{{"asked for", "silent: {after: 3m}", true}, {"not asked for", "", false}} {
		g := modelOf(t, shippedModel(t, "model-service.yaml"), "silent: {after: 3m}", c.change)
		s := newShop(11, 6)
		noon := modelStart.Add(8 * time.Hour)
		hushed(t, g, s, noon, 360, -1, 0)
		found := hushed(t, g, s, noon.Add(6*time.Hour), 120, 5, 20)
		found = slices.DeleteFunc(found, func(f event.Finding) bool { return f.Entity != "shop/svc5" || f.Time.Before(noon.Add(380*time.Minute)) })
		if got := len(found) > 0; got != c.want {
			t.Fatalf("%s: found %v, want %v", c.name, got, c.want)
		}
		if !c.want {
			continue
		}
		f := found[0]
		t.Log(f.Explanation)
		if !strings.Contains(f.Explanation, "nothing comes of shop/svc5 since 2026-03-02T14:20:00Z") || !amongFirst(f, "request_rate") || len(f.Events) != 1 || f.Subject.Workload.Name != "svc5" {
			t.Errorf("found %+v", f)
		}
		if late := f.Time.Sub(noon.Add(380 * time.Minute)); late > 10*time.Minute || len(found) > 1 {
			t.Errorf("%d findings, the first %s after it fell silent", len(found), late)
		}
	}
}

// Nobody is missed when nothing comes of anybody, nor while they come back one
// after the other: that all are silent is said of the model instead.
func TestAllSilent(t *testing.T) {
	g := modelOf(t, shippedModel(t, "model-service.yaml"))
	s := newShop(11, 6)
	noon := modelStart.Add(8 * time.Hour)
	hushed(t, g, s, noon, 360, -1, 0)
	var all []event.Finding
	silent := func(minute, want int) {
		t.Helper()
		tick := event.Control(event.VerbTick, noon.Add(time.Duration(minute)*time.Minute), event.HashID("tick", text(minute)), nil)
		all = append(all, folded(t, g, tick)...)
		st := g.Models()[0]
		if st.Silent != want || want > 0 && !st.SilentSince.Equal(noon.Add(360*time.Minute)) {
			t.Errorf("minute %d: %d are silent since %s, want %d", minute, st.Silent, st.SilentSince, want)
		}
		w := Worker{}
		w.models.Store(&[]event.ModelState{st})
		if err := w.Hears(t.Context()); (err != nil) != (want > 0) {
			t.Errorf("minute %d: health says %v", minute, err)
		}
	}
	silent(361, 0)
	for minute := range 20 {
		silent(364+minute, 6)
	}
	g = reopened(t, g)
	silent(384, 6)
	for minute := range 6 {
		at := noon.Add(time.Duration(385+minute) * time.Minute)
		for service := range min(6, 1+2*minute) {
			for _, e := range s.minute(at, service, incident{}) {
				all = append(all, folded(t, g, e)...)
			}
		}
	}
	silent(392, 0)
	for _, f := range all {
		if strings.Contains(f.Explanation, "nothing comes") {
			t.Errorf("found %s", f.Explanation)
		}
	}
	if all = hushed(t, g, s, noon.Add(392*time.Minute), 30, 5, 5); !slices.ContainsFunc(all, func(f event.Finding) bool { return strings.Contains(f.Explanation, "nothing comes of shop/svc5") }) {
		t.Error("one that is silent later is not found")
	}
}

// Who is silent is found the same after a stop at any time.
func TestSilenceSurvivesAKill(t *testing.T) {
	run := func(kill bool) (ids []string) {
		g := modelOf(t, shippedModel(t, "model-service.yaml"))
		s := newShop(11, 6)
		noon := modelStart.Add(8 * time.Hour)
		hushed(t, g, s, noon, 360, -1, 0)
		for part := range 6 {
			for _, f := range hushed(t, g, s, noon.Add(time.Duration(360+10*part)*time.Minute), 10, 5, max(0, 12-10*part)) {
				ids = append(ids, f.ID+f.Explanation)
			}
			if kill {
				g = reopened(t, g)
			}
		}
		return ids
	}
	if a, b := run(false), run(true); len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("found %q, with stops %q", a, b)
	}
}

// Anchors stand still from the end of the warm-up on; an approval makes them
// anew, and nothing else does.
func TestAnchors(t *testing.T) {
	for when, want := range map[string][2]int{"warm": {10, 10}, "full": {0, 10}, "approved": {0, 0}} {
		g := modelOf(t, quick, "warm_up:", "forest: {reservoir: 700, anchors: "+when+"}\n  warm_up:")
		usual(t, g, 0, 500)
		early := g.Models()[0].Anchors
		usual(t, g, 500, 2500)
		if late := g.Models()[0].Anchors; early != want[0] || late != want[1] {
			t.Errorf("%s: %d trees stand still when it is warm, %d when it is full, want %v", when, early, late, want)
		}
		folded(t, g, event.ModelOrder{Model: "quick", Do: event.ModelApprove, Who: "ann"}.Event(modelStart.Add(3001*time.Second)))
		if s := g.Models()[0]; s.Anchors != 10 || s.Moved != 0 {
			t.Errorf("%s: approved, %d trees stand still, moved %v", when, s.Anchors, s.Moved)
		}
	}
}
