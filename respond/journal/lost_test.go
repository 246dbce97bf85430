package journal

import (
	"slices"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

func TestLost(t *testing.T) {
	for _, c := range []struct {
		loss *event.Loss
		want []string
	}{
		{nil, nil},
		{&event.Loss{}, nil},
		{&event.Loss{
			Endpoints: []string{"shop/web", "shop/all"}, Workload: "Deployment shop/web", Wanted: 3, Ready: 3, ReadyAfter: 2, Replaced: true,
			Budgets: []event.Headroom{{Budget: "shop/web", Allowed: 1}, {Budget: "shop/strict"}},
		}, []string{
			"no longer an endpoint of shop/web, shop/all", "Deployment shop/web has 3 of 3 pods ready, then 2, until it has made another",
			"PodDisruptionBudget shop/web lets 1 more go", "PodDisruptionBudget shop/strict lets none go: this is one too many",
		}},
		{&event.Loss{Workload: "StatefulSet shop/db", Wanted: 1, Ready: 1}, []string{"StatefulSet shop/db has 1 of 1 pods ready, then 0, and can't make another while this one is there"}},
		{&event.Loss{Nodes: 3, NodesAfter: 2, Pods: 7, Unknown: []string{"x:\n\x1b[31my"}}, []string{"of 3 nodes that take new pods 2 are left", "7 pods run on it", "not known: x: \ufffd[31my"}},
	} {
		if got := Lost(c.loss); !slices.Equal(got, c.want) {
			t.Errorf("%+v: said %q, want %q", c.loss, got, c.want)
		}
	}
}

func TestAsked(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := event.Approval{
		Steps: []string{"isolate", "cordon"}, By: []string{"group/oncall"}, Need: 2, Requested: at, Expires: at.Add(15 * time.Minute),
		Excluded: []string{"mallory"}, Reasons: []string{"isolate: budget: 3 of 3 pods"},
	}
	want := []string{"2 people of group/oncall about isolate, cordon, within 15m0s", "never by mallory", "because isolate: budget: 3 of 3 pods"}
	if got := Asked(a); !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
	a.By, a.Need, a.Excluded, a.Reasons = nil, 1, nil, nil
	if got := Asked(a); got[0] != "1 person of whoever may approve of it in the cluster about isolate, cordon, within 15m0s" || len(got) != 1 {
		t.Errorf("said %q", got)
	}
}
