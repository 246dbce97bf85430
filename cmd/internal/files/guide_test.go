package files

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

type guideCases struct {
	Cases []struct {
		Name   string   `yaml:"name,required"`
		Events []any    `yaml:"events,required"`
		Find   []string `yaml:"find"`
	} `yaml:"cases,required"`
}

// TestGuide loads each example of the guide for authors of rules, and runs the
// cases below it.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../../detect/rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var set *detect.RuleSet
	examples, cases := 0, 0
	for _, block := range strings.Split(string(text), "```yaml")[1:] {
		head, body, _ := strings.Cut(block, "\n")
		body, _, ok := strings.Cut(body, "```")
		if !ok {
			t.Fatal("a block does not end")
		}
		if head == " test" {
			var c guideCases
			if err := conf.Decode("README.md", []byte(body), &c); err != nil {
				t.Fatal(err)
			}
			for _, one := range c.Cases {
				cases++
				t.Run(one.Name, func(t *testing.T) { guideCase(t, set, one.Events, one.Find) })
			}
			continue
		}
		examples++
		docs, err := conf.Documents("README.md", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if set, err = detect.NewRuleSet(docs); err != nil {
			t.Fatal(err)
		}
	}
	if examples < 6 || cases < 10 {
		t.Errorf("%d examples, %d cases", examples, cases)
	}
}

func guideCase(t *testing.T, set *detect.RuleSet, events []any, want []string) {
	engine := detect.NewEngine(set, detect.EngineOptions{})
	var got []string
	for i, plain := range events {
		data, err := json.Marshal(plain)
		if err != nil {
			t.Fatal(err)
		}
		e := event.Event{Source: event.SourceAudit, Time: time.Unix(1e9+int64(i), 0).UTC()}
		dec := json.NewDecoder(strings.NewReader(string(data)))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			t.Fatal(err)
		}
		e.ID, e.Received = fmt.Sprint(i), e.Time
		found, _, err := engine.Fold(&e, event.Address{Sequence: uint64(i + 1)})
		if err != nil {
			t.Error(err)
		}
		for _, f := range found {
			got = append(got, f.Rule)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}
