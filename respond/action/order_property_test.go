package action

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestAnyOrderOfUndo: several runs hold one pod, by quarantines and labels;
// undone in any order, with ends moved in between, it is in the end as it would
// be without them, and at each moment held for exactly those that are left.
func TestAnyOrderOfUndo(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake()
		uid := f.put(t, "pods", pod("web-1", map[string]string{"app": "web", "team": "shop", "x": "0"}))
		f.put(t, "services", service("web", map[string]string{"app": "web"}))
		before := metadata(t, f, "pods", "web-1")
		type hold struct {
			act  Action
			r    Request
			done event.Receipt
		}
		var holds []hold
		for i := range rapid.IntRange(1, 5).Draw(rt, "runs") {
			act := build(t, podQuarantine, Deps{Cluster: f}, nil)
			if kind := rapid.IntRange(0, 2).Draw(rt, "kind"); kind < 2 {
				act = build(t, podLabel, Deps{Cluster: f}, &LabelConfig{Labels: map[string]string{[]string{"x", "y"}[kind]: "1"}})
			}
			r := podRequest("run"+string(rune('a'+i))+"/s", "web-1", uid)
			r.Until = noon.Add(time.Hour)
			p, err := act.Plan(t.Context(), r)
			if err != nil {
				rt.Fatal(err)
			}
			done, err := act.Do(t.Context(), r, p)
			if err != nil {
				rt.Fatal(err)
			}
			holds = append(holds, hold{act, r, done})
		}
		for len(holds) > 0 {
			at := rapid.IntRange(0, len(holds)-1).Draw(rt, "next")
			h := holds[at]
			if rapid.Bool().Draw(rt, "extended") {
				h.r.Until = noon.Add(3 * time.Hour)
				if err := h.act.(Marker).Mark(t.Context(), h.r); err != nil {
					rt.Fatal(err)
				}
				now, _ := f.Pod(t.Context(), ns, "web-1")
				if all, err := HoldersOf(now.Annotations); err != nil || !all[h.r.Key].Until.Equal(h.r.Until) {
					rt.Fatalf("the pod shows %v (%v)", all, err)
				}
			}
			for range rapid.IntRange(1, 2).Draw(rt, "times") {
				if _, err := h.act.Undo(t.Context(), h.r, h.done, event.AtEndRestore); err != nil && !errors.Is(err, ErrConflict) {
					rt.Fatal(err)
				}
			}
			holds = slices.Delete(holds, at, at+1)
			now, _ := f.Pod(t.Context(), ns, "web-1")
			all, err := HoldersOf(now.Annotations)
			if err != nil || len(all) != len(holds) {
				rt.Fatalf("held by %v (%v), want %d", all, err, len(holds))
			}
		}
		if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
			rt.Fatal("in the end: ", d)
		}
	})
}
