package action

import (
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestHoldsAreWatched: whatever holds can be looked at while it does.
func TestHoldsAreWatched(t *testing.T) {
	for _, k := range Kinds() {
		if !k.Reversible {
			continue
		}
		config := k.Config()
		if k.Example != nil {
			config = k.Example()
		}
		a, err := k.New(Deps{Cluster: newFake()}, config)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			continue
		}
		if _, ok := a.(Watcher); !ok {
			t.Errorf("%s: its hold can't be looked at", k.Name)
		}
	}
}

// TestDriftIsGoneFirst: what can be put back is said beside what can't.
func TestDriftIsGoneFirst(t *testing.T) {
	d := Drift{Altered: "a"}.worse(Drift{Gone: "g", Altered: "b"}).worse(Drift{Gone: "h"})
	if d != (Drift{Gone: "g", Altered: "a"}) {
		t.Errorf("%+v", d)
	}
}

// TestMissingTierIsNotTakenAway: a tier that could not be made is not missed.
func TestMissingTierIsNotTakenAway(t *testing.T) {
	r := Request{Key: "run/isolate", Run: event.Run{ID: "run", Steps: []event.Step{{Name: "isolate"}}}}
	if withoutTier(r) {
		t.Error("without a receipt")
	}
	r.Run.Steps[0].Receipt = &event.Receipt{Notes: []string{"a note", noTier + "forbidden"}}
	if !withoutTier(r) {
		t.Error("the receipt says so")
	}
	if r.Key = "run/other"; withoutTier(r) {
		t.Error("of another step")
	}
}
