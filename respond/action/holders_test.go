package action

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

func TestHoldersOf(t *testing.T) {
	got, err := HoldersOf(map[string]string{
		HoldKey:   `{"labels":{},"runs":{"r1/q":{"until":"2026-03-01T12:00:00Z","digest":"d"}}}`,
		FieldsKey: `{"/spec/unschedulable":{"path":["spec","unschedulable"],"value":true,"runs":{"r2/c":{"action":"node.cordon"}}}}`,
		LabelKey:  `{"a":{"before":null,"value":"1","runs":{"r3/l":{}}},"b":{"before":"x","value":"1","runs":{"r4/l":{}}}}`,
		"else":    "{",
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"r1/q", "r2/c", "r3/l", "r4/l"}, slices.Sorted(maps.Keys(got))); d != "" {
		t.Error(d)
	}
	if got["r1/q"] != (Holder{Until: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Digest: "d"}) {
		t.Error(got)
	}
	for _, key := range []string{HoldKey, FieldsKey, LabelKey} {
		if _, err := HoldersOf(map[string]string{key: "{"}); err == nil {
			t.Errorf("a broken %s is no error", key)
		}
	}
}

// Whatever somebody writes into the annotations, reading them does not fail
// otherwise than by an error, and what is read can be written again.
func FuzzRecords(f *testing.F) {
	f.Add(`{"labels":{"app":"web"},"runs":{"r1/q":{"until":"2026-03-01T12:00:00Z"}}}`)
	f.Add(`{"a":{"before":null,"value":"1","runs":{"r3/l":{}}}}`)
	f.Add(`{"prior":true,"runs":{"":{}}}`)
	f.Add(`{"labels":null,"runs":null}`)
	f.Add(`null`)
	f.Add(`{`)
	f.Fuzz(func(t *testing.T, text string) {
		annotations := map[string]string{HoldKey: text, LabelKey: text, FieldsKey: text}
		_, _ = HoldersOf(annotations)
		rec, found, err := parseQuarantine(annotations)
		if !found || err != nil {
			return
		}
		again, err := json.Marshal(rec)
		if err != nil {
			return // a time that JSON can't say
		}
		if _, _, err := parseQuarantine(map[string]string{HoldKey: string(again)}); err != nil {
			t.Errorf("%q became %q: %v", text, again, err)
		}
	})
}

// TestMadeForGood: a Job that a step made shows whose it is, and is no hold that
// somebody would have to end.
func TestMadeForGood(t *testing.T) {
	for of, want := range map[string]int{functionJob: 0, networkDeny: 1} {
		var found Found
		object := event.Ref{Resource: "jobs", Namespace: "shop", Name: ownPrefix + "x", UID: "u"}
		found.add(object, map[string]string{kube.ManagedByLabel: kube.ManagedBy}, map[string]string{RunKey: "run/step", ActionKey: of})
		if len(found.Holdings) != want || len(found.Broken) > 0 {
			t.Errorf("%s: %+v", of, found)
		}
	}
	for _, k := range Kinds() {
		if !k.Reversible && len(k.Holds)+len(k.Fields) > 0 {
			t.Errorf("%s holds, and nothing ends it", k.Name)
		}
	}
}
