package detect

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect/rules"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// ruleCases is a *_test.yaml file.
type ruleCases struct {
	Cases []struct {
		Name string `yaml:"name,required"`
		// Event is an event as its JSON names the parts.
		Event any `yaml:"event"`
		// Events are several, a second apart.
		Events []any `yaml:"events"`
		// Repeat has them come again; {n} in them is how often they came before.
		Repeat repeat `yaml:"repeat"`
		// Find are the rules that have to find something, and no others may.
		Find []string `yaml:"find"`
	} `yaml:"cases,required"`
}

type repeat struct {
	Times int           `yaml:"times"`
	Every conf.Duration `yaml:"every"`
}

// stream is the events of a case, at times of their own.
func (r repeat) stream(t *testing.T, begin time.Time, one any, more []any) []event.Event {
	t.Helper()
	if one != nil {
		more = append(more, one)
	}
	if len(more) == 0 {
		t.Fatal("no event")
	}
	var out []event.Event
	for n := range max(r.Times, 1) {
		for i, plain := range more {
			e := eventOf(t, plain, n)
			if e.Time.IsZero() {
				e.Time = begin.Add(time.Duration(n)*r.Every.Std() + time.Duration(i)*time.Second)
			}
			e.Received = e.Time
			e.ID = begin.Format(time.DateOnly) + e.ID
			out = append(out, e)
		}
	}
	return out
}

func TestShippedRules(t *testing.T) {
	set, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	begin := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	engine := NewEngine(set, EngineOptions{})
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
		for _, c := range cases.Cases {
			t.Run(strings.TrimSuffix(file, "_test.yaml")+"/"+c.Name, func(t *testing.T) {
				// Nothing is remembered for as long as what lies between two cases.
				begin = begin.Add(2 * maxSuppress)
				var findings []event.Finding
				for i, e := range c.Repeat.stream(t, begin, c.Event, c.Events) {
					found, _, err := engine.Fold(&e, event.Address{Sequence: uint64(i) + 1, ID: e.ID})
					if err != nil {
						t.Error(err)
					}
					findings = append(findings, found...)
				}
				var got []string
				for _, f := range findings {
					got = append(got, f.Rule)
					reached[f.Rule] = true
					if f.Explanation == "" || strings.Contains(f.Explanation, "{map}") || strings.Contains(f.Explanation, "${") {
						t.Errorf("%s explains %q", f.Rule, f.Explanation)
					}
				}
				slices.Sort(got)
				got = slices.Compact(got)
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

func eventOf(t *testing.T, plain any, n int) event.Event {
	t.Helper()
	data, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("{n}"), []byte(strconv.Itoa(n)))
	var e event.Event
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		t.Fatalf("event: %v", err)
	}
	return e
}
