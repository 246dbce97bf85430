package detect

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/detect/rules"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// ruleCases is a *_test.yaml file.
type ruleCases struct {
	Cases []struct {
		Name string `yaml:"name,required"`
		// Event is an event as its JSON names the parts.
		Event any `yaml:"event,required"`
		// Find are the rules that have to find something, and no others may.
		Find []string `yaml:"find"`
	} `yaml:"cases,required"`
}

func TestShippedRules(t *testing.T) {
	set, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	files, err := fs.Glob(rules.FS, "*_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := fs.ReadFile(rules.FS, file)
		if err != nil {
			t.Fatal(err)
		}
		var cases ruleCases
		if err := conf.Decode(file, data, &cases); err != nil {
			t.Fatal(err)
		}
		// One engine for all cases of a file: making one looks through all rules.
		engine := NewEngine(set, EngineOptions{})
		for _, c := range cases.Cases {
			t.Run(strings.TrimSuffix(file, "_test.yaml")+"/"+c.Name, func(t *testing.T) {
				e := eventOf(t, c.Event)
				findings, _, err := engine.Fold(&e, event.Address{ID: e.ID})
				if err != nil {
					t.Error(err)
				}
				var got []string
				for _, f := range findings {
					got = append(got, f.Rule)
					reached[f.Rule] = true
					if f.Explanation == "" || strings.Contains(f.Explanation, "{map}") || strings.Contains(f.Explanation, "${") {
						t.Errorf("%s explains %q", f.Rule, f.Explanation)
					}
				}
				want := slices.Sorted(slices.Values(c.Find))
				if !slices.Equal(got, want) {
					t.Errorf("found %q, want %q", got, want)
				}
			})
		}
	}
	for _, d := range set.Detectors() {
		if !reached[d.Name()] {
			t.Errorf("no test reaches rule %s", d.Name())
		}
		if r := d.(*Rule).Spec; r.Response == "" || len(r.FalsePositives) == 0 || r.Message.IsZero() {
			t.Errorf("rule %s lacks response, false_positives or message", d.Name())
		}
	}
}

func eventOf(t *testing.T, plain any) event.Event {
	t.Helper()
	data, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		t.Fatalf("event: %v", err)
	}
	return e
}
