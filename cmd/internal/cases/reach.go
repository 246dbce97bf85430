package cases

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Reach is what tests reach of rules: whether each found something, and whether
// each branch of it mattered once. Branches are the alternatives of or in when,
// unless, having and macros, unless itself, each exception and each step of a
// sequence. It is used by one goroutine.
type Reach struct {
	rules    map[string]bool
	branches map[string]bool
}

// NewReach has reached nothing.
func NewReach() *Reach { return &Reach{rules: map[string]bool{}, branches: map[string]bool{}} }

// Branch is a place that tests can reach.
type Branch struct {
	Rule string `json:"rule"`
	// Kind is rule, alternative, unless, exception or step; of a playbook
	// alternative, step done, step left out or step failed.
	Kind    string `json:"kind"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Text    string `json:"text,omitempty"`
	Reached bool   `json:"reached"`
}

// place tells a condition apart from others; the first part of one begins where it
// does.
func place(c *conf.Condition) string {
	return fmt.Sprintf("%s:%d:%d %s %s", c.File, c.Line, c.Column, c.Op, c.Text)
}

// note takes what an event reached.
func (r *Reach) note(_ *event.Event, _ event.Address, x detect.Explanation) {
	for _, f := range x.Findings {
		r.rules[f.Rule+f.Model] = true
	}
	for _, l := range x.Looks {
		for _, st := range l.Steps {
			r.step(l.Rule, st)
		}
		if l.Window != nil {
			r.alternatives(l.Window.Having)
		}
	}
}

func (r *Reach) step(rule string, st detect.StepLook) {
	if len(st.When) == 0 || slices.ContainsFunc(st.When, func(t conf.Trace) bool { return t.Truth != conf.True }) {
		return
	}
	for _, t := range st.When {
		r.branches[place(t.Condition)] = true
		r.alternatives(t)
	}
	if st.Unless != nil && st.Unless.Truth == conf.True {
		r.branches[place(st.Unless.Condition)] = true
		r.alternatives(*st.Unless)
	}
	for _, x := range st.Exceptions {
		if x.Holds {
			r.branches[rule+" "+x.Name] = true
			r.alternatives(x.When)
		}
	}
}

// alternatives notes the parts of or that were true in what was true.
func (r *Reach) alternatives(t conf.Trace) {
	if t.Condition == nil || t.Truth != conf.True || t.Op == conf.OpNot {
		return
	}
	for _, p := range t.Parts {
		if p.Truth != conf.True {
			continue
		}
		if t.Op == conf.OpOr || t.Op == conf.OpMacro {
			r.branches[place(p.Condition)] = true
		}
		r.alternatives(p)
	}
}

// Branches are all rules of a set, and their branches, in the order of their
// places. Of macros and exceptions those are left out that are elsewhere than in
// the files that mine is true of, and so are the rules; nil is true of all.
func (r *Reach) Branches(set *detect.RuleSet, mine func(file string) bool) []Branch {
	var out []Branch
	seen := map[string]bool{}
	add := func(b Branch, key string) {
		if !seen[key] && (mine == nil || mine(b.File)) {
			seen[key] = true
			out = append(out, b)
		}
	}
	for _, d := range set.Detectors() {
		rule, ok := d.(*detect.Rule)
		if !ok {
			continue
		}
		file, line := rule.Place()
		add(Branch{Rule: d.Name(), Kind: "rule", File: file, Line: line, Text: rule.Spec.Title, Reached: r.rules[d.Name()]}, "rule "+d.Name())
		for _, b := range branches(rule) {
			b.Reached = r.branches[b.key]
			add(b.Branch, b.key)
		}
	}
	slices.SortStableFunc(out, func(a, b Branch) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}

type keyed struct {
	Branch
	key string
}

// alternatives are those of or in a condition, its macros included.
func alternatives(name string, c *conf.Condition) []keyed {
	if c.Op == conf.OpNot {
		return nil
	}
	var out []keyed
	for _, p := range c.Parts {
		if c.Op == conf.OpOr || c.Op == conf.OpMacro && len(c.Parts) > 1 {
			out = append(out, condition(name, "alternative", p))
		}
		out = append(out, alternatives(name, p)...)
	}
	return out
}

func condition(name, kind string, c *conf.Condition) keyed {
	return keyed{Branch{Rule: name, Kind: kind, File: c.File, Line: c.Line, Column: c.Column, Text: c.Text}, place(c)}
}

func branches(rule *detect.Rule) []keyed {
	var out []keyed
	walk := func(c *conf.Condition) { out = append(out, alternatives(rule.Name(), c)...) }
	when, unless, having := rule.Parts()
	for _, c := range when {
		if rule.Spec.Sequence != nil {
			out = append(out, condition(rule.Name(), "step", c))
		}
		walk(c)
	}
	if unless != nil {
		out = append(out, condition(rule.Name(), "unless", unless))
		walk(unless)
	}
	if having != nil {
		walk(having)
	}
	for _, x := range rule.Exceptions() {
		at := x.Spec.When.Errorf("")
		out = append(out, keyed{Branch{rule.Name(), "exception", at.File, at.Line, at.Column, x.Name, false}, rule.Name() + " " + x.Name})
	}
	return out
}
