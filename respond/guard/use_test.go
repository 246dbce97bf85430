package guard

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// stored is a store with one value.
type stored struct{ data []byte }

func (h stored) Get(context.Context, string) ([]byte, uint64, error) {
	if h.data == nil {
		return nil, 0, bus.ErrNotFound
	}
	return h.data, 1, nil
}

func (stored) CompareAndSet(context.Context, string, []byte, uint64) (uint64, error) { return 0, nil }

func TestUses(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ended := now.Add(-time.Minute)
	limits := Budgets{Pods: 10, PodsPerNamespace: 3, EffectsPerMinute: 7}
	book := Book{Entries: []Entry{
		{Key: "a", Budget: BudgetPods, Target: "u1", Namespace: "shop", Taken: now.Add(-time.Second)},
		{Key: "b", Budget: BudgetPods, Target: "u1", Namespace: "shop", Taken: now.Add(-time.Hour)}, // the same pod
		{Key: "c", Budget: BudgetPods, Target: "u2", Namespace: "bank", Taken: now.Add(-time.Hour)},
		{Key: "d", Budget: BudgetPods, Target: "u3", Namespace: "bank", Taken: now.Add(-time.Hour), Ended: &ended},
		{Key: "e", Budget: BudgetNodes, Target: "u4", Taken: now.Add(-time.Hour)},
	}}
	data, err := json.Marshal(book)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Uses(t.Context(), stored{data}, limits, now)
	if err != nil {
		t.Fatal(err)
	}
	want := []Use{
		{"effects begun within a minute", 1, 7}, {"pods quarantined", 2, 10}, {"nodes cordoned", 1, 0},
		{"pods quarantined in namespace bank", 1, 3}, {"pods quarantined in namespace shop", 1, 3},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, err := Uses(t.Context(), stored{}, limits, now); err != nil || got[1].Used != 0 {
		t.Errorf("without a ledger: %+v (%v)", got, err)
	}
	if _, err := Uses(t.Context(), stored{[]byte("{")}, limits, now); err == nil {
		t.Error("a broken ledger is none at all")
	}
}
