package action

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Whoever may annotate a pod can make up thousands of holders, with as many labels.
// To read them takes what the annotation takes, not the square of it: each round of
// the reconciler does.
func TestMadeUpHolders(t *testing.T) {
	const n = 3000
	runs, labels, set := Holders{}, map[string]string{}, labelRecord{}
	for i := range n {
		key := fmt.Sprintf("r%d/s", i)
		runs[key] = Holder{}
		labels[fmt.Sprintf("l%d", i)] = "v"
		set[fmt.Sprintf("l%d", i)] = labelHold{Value: "v", Runs: Holders{key: {}}}
	}
	for name, annotations := range map[string]map[string]string{
		"quarantined": {HoldKey: encoded(t, quarantineRecord{Runs: runs, Labels: labels})},
		"labelled":    {LabelKey: encoded(t, set)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		list, err := HoldingsOf(event.PodRef("shop", "web-1"), nil, annotations)
		runtime.ReadMemStats(&after)
		if err != nil || len(list) != n {
			t.Errorf("%s: %d holds, %v", name, len(list), err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%s: %d MiB to read %d holds", name, took>>20, n)
		}
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What the end of a quarantine gives back names who else holds the pod, the first few
// of many.
func TestWhoElseHolds(t *testing.T) {
	for _, test := range []struct {
		keys []string
		want string
	}{
		{[]string{"a"}, "label app=web is put back"},
		{[]string{"a", "b"}, "it stays held by b"},
		{[]string{"0", "a", "b", "c"}, "it stays held by 0, b, c"},
		{[]string{"a", "b", "c", "d", "e", "f"}, "it stays held by b, c, d and 2 more"},
	} {
		rec := quarantineRecord{Runs: Holders{}, Labels: map[string]string{"app": "web"}}
		for _, k := range test.keys {
			rec.Runs[k] = Holder{}
		}
		b := quarantineBack(event.PodRef("shop", "web-1"), rec)("a")
		if b.Says[0] != test.want || !slices.Contains(b.Says, "label app=web is put back") || len(b.Commands) != 2 {
			t.Errorf("with %v: %+v", test.keys, b)
		}
	}
}
