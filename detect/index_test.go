package detect

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

var (
	someVerbs     = []string{"get", "list", "create"}
	someResources = []string{"pods", "secrets", "nodes"}
	someClasses   = []string{event.ClassAPI, event.ClassAPIExec, event.ClassProcessExec}
	someSources   = []string{"audit", "falco"}
)

func pick(random *rand.Rand, of []string) string { return of[random.IntN(len(of))] }

// someWhen is an expression of comparisons, patterns and what joins them.
func someWhen(random *rand.Rand, depth int) string {
	if depth == 0 {
		switch random.IntN(6) {
		case 0:
			return fmt.Sprintf("verb == %q", pick(random, someVerbs))
		case 1:
			return fmt.Sprintf("object.resource in [%q, %q]", pick(random, someResources), pick(random, someResources))
		case 2:
			return fmt.Sprintf("class != %q", pick(random, someClasses))
		case 3:
			return fmt.Sprintf("%q == class", pick(random, someClasses))
		case 4:
			return fmt.Sprintf("object.name startsWith %q", pick(random, []string{"a", "b"}))
		}
		return fmt.Sprintf("verb not in [%q]", pick(random, someVerbs))
	}
	a, b := someWhen(random, depth-1), someWhen(random, depth-1)
	switch random.IntN(5) {
	case 0:
		return "not (" + a + ")"
	case 1:
		return "(" + a + ") or (" + b + ")"
	case 2:
		return a + " ? " + b + " : " + someWhen(random, 0)
	}
	return "(" + a + ") and (" + b + ")"
}

func someRules(random *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetadata: {name: r%d}\nspec:\n  title: T\n  severity: low\n  sources: [%s]\n", i, pick(random, []string{"audit", "falco", "audit, falco"}))
		switch random.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "  when: '%s'\n  window: {by: [object.name], over: 1m, having: count() >= %d}\n", someWhen(random, 2), 1+random.IntN(3))
		case 1:
			fmt.Fprintf(&b, "  sequence: {by: [object.name], within: 1m, steps: [{source: %s, when: '%s'}, {when: '%s', not: %v}]}\n",
				pick(random, someSources), someWhen(random, 1), someWhen(random, 1), random.IntN(2) == 0)
		default:
			fmt.Fprintf(&b, "  class: %s\n  when: '%s'\n", pick(random, someClasses), someWhen(random, 2))
		}
		b.WriteString("---\n")
	}
	return b.String()
}

func someEvent(random *rand.Rand, i int, at time.Time) event.Event {
	return event.Event{
		ID: fmt.Sprint("e", i), Source: event.Source(pick(random, someSources)), Class: pick(random, someClasses), Verb: pick(random, someVerbs),
		Object: event.Ref{Resource: pick(random, someResources), Name: pick(random, []string{"a", "b"}), Namespace: "n"}, Time: at, Received: at,
	}
}

// naive asks every detector about every event.
func naive(g *Engine) {
	all := &index{rest: make(set, len(g.index.rest)), found: make(set, len(g.index.found)), needs: make([][]need, len(g.running))}
	for i := range g.running {
		all.rest[i/64] |= 1 << (i % 64)
		all.needs[i] = []need{{}}
	}
	g.index = all
}

func TestIndexFindsWhatIsThereWithoutIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		set, err := ruleSet(t, someRules(random, []int{3, 5, 7, 9, 12, 3, 5, 7, 9, 66}[random.IntN(10)]))
		if err != nil {
			t.Fatal(err)
		}
		with, without := NewEngine(set, EngineOptions{}), NewEngine(set, EngineOptions{})
		naive(without)
		at := dawn
		for i := range 40 {
			at = at.Add(time.Duration(random.IntN(40)) * time.Second)
			e := someEvent(random, i, at)
			a, _, err1 := with.Fold(&e, event.Address{ID: e.ID})
			b, _, err2 := without.Fold(&e, event.Address{ID: e.ID})
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("event %+v\nwith    %v\nwithout %v", e, names(a), names(b))
			}
		}
	})
}

func names(all []event.Finding) (out []string) {
	for _, f := range all {
		out = append(out, f.Rule)
	}
	return out
}

// An event meets only the rules that it could matter to.
func TestIndexLeavesOutTheOthers(t *testing.T) {
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, "apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetadata: {name: r%d}\nspec: {title: T, severity: low, source: audit, when: 'verb == \"get\" and object.resource == \"r%d\"'}\n---\n", i, i%250)
	}
	set, err := ruleSet(t, b.String())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	e := event.Event{Source: event.SourceAudit, Verb: "get", Object: event.Ref{Resource: "r7"}}
	for range newIndex(set.detectors).of(&e) {
		n++
	}
	if n != 2 {
		t.Errorf("an event meets %d rules, want 2", n)
	}
}
