package respond

import (
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// steps compiles a list of steps: each item comes after the one before it.
func (l *loader) steps(specs []stepSpec) []PlaybookStep {
	if n := len(specs); n == 0 || n > maxSteps {
		l.problem("spec.steps", "%d steps: a playbook has 1 to %d", n, maxSteps)
		return nil
	}
	all, _ := l.list(nil, specs, []int{})
	if len(all) > maxSteps {
		l.problem("spec.steps", "%d steps with those of the groups: a playbook has at most %d", len(all), maxSteps)
	}
	return all
}

// list compiles a list of steps behind those that there are. It gives the
// places behind which the next one goes on.
func (l *loader) list(all []PlaybookStep, specs []stepSpec, last []int) ([]PlaybookStep, []int) {
	seen := map[string]bool{}
	l.names = namesOf(specs)
	for i := range specs {
		at := fmt.Sprintf("spec.steps[%d]", i)
		if specs[i].Parallel == nil {
			all, last = l.item(all, at, &specs[i].Step, last, seen)
			continue
		}
		all, last = l.parallel(all, at, &specs[i], last, seen)
	}
	return all, last
}

// namesOf are the names of all steps of a list.
func namesOf(specs []stepSpec) []string {
	var names []string
	for i := range specs {
		names = append(names, specs[i].Step.Name)
		for j := range specs[i].Parallel {
			names = append(names, specs[i].Parallel[j].Name)
		}
	}
	return names
}

// parallel compiles steps that go side by side.
func (l *loader) parallel(all []PlaybookStep, at string, s *stepSpec, after []int, seen map[string]bool) ([]PlaybookStep, []int) {
	if key := s.Step.given(); key != "" {
		l.problem(at+"."+key, "%s stands beside parallel, which is no step itself: give it to its steps", key)
	}
	if len(s.Parallel) < 2 {
		l.problem(at+".parallel", "%d steps can't go side by side", len(s.Parallel))
	}
	var last []int
	for i := range s.Parallel {
		var ends []int
		all, ends = l.item(all, fmt.Sprintf("%s.parallel[%d]", at, i), &s.Parallel[i], after, seen)
		last = append(last, ends...)
	}
	if len(last) == 0 {
		last = after
	}
	return all, last
}

// given is the first key that a step says something for, empty if none.
func (s *oneSpec) given() string {
	for _, k := range []struct {
		key string
		has bool
	}{
		{"name", s.Name != ""}, {"action", s.Action != ""}, {"use", s.Use != ""}, {"with", !s.With.IsZero()}, {"when", !s.When.IsZero()},
		{"target", !s.Target.IsZero()}, {"for_each", !s.ForEach.IsZero()}, {"at_most", s.AtMost != nil}, {"approve", s.Approve != nil},
		{"undo_after", s.UndoAfter != span{}}, {"at_end", s.AtEnd != ""}, {"on_failure", s.OnFailure != ""}, {"timeout", s.Timeout != span{}},
		{"retry", s.Retry.Attempts != nil || s.Retry.Backoff != 0},
	} {
		if k.has {
			return k.key
		}
	}
	return ""
}

// item compiles one step, or the steps of a group, behind the given ones. It
// gives the places behind which the next one goes on.
func (l *loader) item(all []PlaybookStep, at string, s *oneSpec, after []int, seen map[string]bool) ([]PlaybookStep, []int) {
	switch {
	case s.Name == "":
		l.problem(at, "required key \"name\" is missing")
	case !conf.IsName(s.Name):
		l.problem(at+".name", "%q is no name: at most 63 of a-z, 0-9 and -", s.Name)
	case seen[s.Name]:
		l.problem(at+".name", "a step of the name %q is there already", s.Name)
	}
	seen[s.Name] = true
	if s.Use != "" {
		return l.useGroup(all, at, s, after)
	}
	p := l.step(at, s)
	p.After, p.spec, p.doc, p.at = after, s, l.doc, at
	if l.use != nil {
		p.scope, p.params = l.use.scope, l.use.params
		p.Name = p.scope + p.Name
	}
	l.reads(all, &p, s)
	return append(all, p), []int{len(all)}
}

func (l *loader) step(at string, s *oneSpec) PlaybookStep {
	kind, ok := action.Lookup(s.Action)
	if !ok {
		var names []string
		for _, k := range action.Kinds() {
			names = append(names, k.Name)
		}
		if s.Action == "" {
			l.problem(at, "required key \"action\" is missing")
		} else {
			l.problem(at+".action", "unknown action %q%s", s.Action, conf.Suggest(s.Action, names))
		}
		return PlaybookStep{Name: s.Name}
	}
	p := PlaybookStep{
		Name: s.Name, Action: s.Action, Kind: kind, when: l.condition(s.When), with: l.with(at, s, kind),
		UndoAfter: l.within(at+".undo_after", l.span(at+".undo_after", s.UndoAfter), defaultHold, maxHold),
		Timeout:   l.within(at+".timeout", l.span(at+".timeout", s.Timeout), defaultTimeout, maxTimeout),
		OnFailure: choose(l, at+".on_failure", s.OnFailure, OnFailureStop, OnFailureContinue, OnFailureUndo),
		Retry:     Retry{Attempts: defaultAttempts, Backoff: l.within(at+".retry.backoff", s.Retry.Backoff, time.Second, maxBackoff)},
	}
	if s.Retry.Attempts != nil {
		p.Retry.Attempts = *s.Retry.Attempts
	}
	if p.Retry.Attempts < 1 || p.Retry.Attempts > maxAttempts {
		l.problem(at+".retry.attempts", "%d: between 1 and %d", p.Retry.Attempts, maxAttempts)
	}
	l.end(at, s, &p)
	l.about(at, s, &p)
	if s.Approve != nil {
		a := l.approve(at+".approve", *s.Approve)
		p.Approve = &a
		if !p.Effect() {
			l.problem(at+".approve", "%s only tells somebody, which nobody needs to approve", p.Action)
		}
	}
	return p
}

// end sets what happens when the hold's time is up. What is no hold has no
// end, and saying one is a mistake.
func (l *loader) end(at string, s *oneSpec, p *PlaybookStep) {
	if !p.Holds() {
		if s.UndoAfter != (span{}) {
			l.problem(at+".undo_after", "%s holds nothing that could be undone", p.Action)
		}
		if s.AtEnd != "" {
			l.problem(at+".at_end", "%s holds nothing that could end", p.Action)
		}
		return
	}
	values := []event.AtEnd{event.AtEndRestore, event.AtEndAsk}
	if p.Kind.Deletable {
		// A compromised pod is not given its traffic back by a clock alone.
		values = []event.AtEnd{event.AtEndAsk, event.AtEndRestore, event.AtEndDelete}
	}
	p.AtEnd = choose(l, at+".at_end", s.AtEnd, values...)
}

// about sets what the step is about.
func (l *loader) about(at string, s *oneSpec, p *PlaybookStep) {
	p.AtMost = defaultAtMost
	if s.AtMost != nil {
		p.AtMost = *s.AtMost
		if s.ForEach.IsZero() {
			l.problem(at+".at_most", "at_most is for a step with for_each")
		} else if p.AtMost < 1 || p.AtMost > maxTargets {
			l.problem(at+".at_most", "%d: between 1 and %d", p.AtMost, maxTargets)
		}
	}
	e := s.Target
	if p.Each = !s.ForEach.IsZero(); p.Each {
		if e = s.ForEach; !s.Target.IsZero() {
			l.problem(at+".target", "a step has target or for_each, not both")
		}
	}
	if e.IsZero() {
		return
	}
	l.noSteps(e)
	l.paramsOf(e.Members("params", functions()...))
	program, err := e.Compile(Env{}, conf.Any, functions()...)
	if err != nil {
		l.add(err)
		return
	}
	p.targets = func(env Env) ([]event.Ref, error) {
		v, err := program.Any(&env)
		if err != nil {
			return nil, err
		}
		return references(v)
	}
}

// references are the objects that an expression gave. One without a name is
// none: what it is of does not name it.
func references(v any) ([]event.Ref, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case event.Ref:
		if v.Name == "" {
			return nil, nil
		}
		v.Subresource, v.Labels = "", nil
		return []event.Ref{v}, nil
	case []event.Ref:
		var out []event.Ref
		for _, one := range v {
			refs, _ := references(one)
			out = append(out, refs...)
		}
		return out, nil
	case []any:
		var out []event.Ref
		for _, one := range v {
			refs, err := references(one)
			if err != nil {
				return nil, err
			}
			out = append(out, refs...)
		}
		return out, nil
	}
	return nil, fmt.Errorf("got %T, want an object or a list of objects, such as target, incident.subjects or node(target.node)", v)
}

func (l *loader) with(at string, s *oneSpec, kind action.Kind) func(Env) (any, error) {
	raw := s.With
	if raw.IsZero() && !l.doc.Has(at+".with") {
		raw = l.doc.Absent(at + ".with")
	}
	for _, t := range raw.Templates() {
		l.paramsOf(t.Members("params", functions()...))
	}
	config := kind.Config()
	if err := raw.Check(Env{}, config, functions()...); err != nil {
		l.add(err)
		return nil
	}
	if kind.Check != nil && len(raw.Templates()) == 0 {
		if err := kind.Check(config); err != nil {
			l.add(raw.Errorf("%v", err))
		}
	}
	return func(env Env) (any, error) {
		filled := kind.Config()
		if err := raw.Fill(&env, filled); err != nil {
			return nil, err
		}
		return filled, nil
	}
}

// noSteps finds what asks about steps where none has moved yet.
func (l *loader) noSteps(e conf.Expression) {
	for _, m := range e.Members("steps", functions()...) {
		l.add(m.Errorf("no step has moved when this is decided: it can ask about finding, incident and target"))
		return
	}
}

// reads says which steps a step's condition and parameters ask about, and finds
// those that they can't know, as they don't come before it.
func (l *loader) reads(before []PlaybookStep, p *PlaybookStep, s *oneSpec) {
	known := l.known(before, *p)
	p.reads = l.asks(s.When.Members("steps", functions()...), known, p.scope)
	if l.use != nil && len(s.When.Members("params", functions()...)) > 0 {
		p.reads = append(p.reads, l.use.reads...)
	}
	p.early = len(p.reads) == 0
	for _, t := range s.With.Templates() {
		p.uses = append(p.uses, l.asks(t.Members("steps", functions()...), append(known[:len(known):len(known)], p.Name), p.scope)...)
		if l.use != nil && len(t.Members("params", functions()...)) > 0 {
			p.uses = append(p.uses, l.use.reads...)
		}
	}
}

// asks are the names of the steps that some members are of.
func (l *loader) asks(members []conf.Member, known []string, scope string) (names []string) {
	for _, m := range members {
		if len(m.Names) == 0 {
			names = append(names, anyStep)
			continue
		}
		name := m.Names[0]
		switch {
		case scope != "" && slices.Contains(known, scope+name):
			name = scope + name
		case slices.Contains(known, name):
		case slices.Contains(l.names, name):
			l.add(m.Errorf("step %s does not come before this one: nothing is known of it yet", name))
		default:
			l.add(m.Errorf("there is no step %q%s", name, conf.Suggest(name, known)))
		}
		names = append(names, name)
	}
	return names
}

// known are the names of the steps that come before one.
func (l *loader) known(before []PlaybookStep, p PlaybookStep) []string {
	var names []string
	all := append(slices.Clone(before), p)
	if len(all) > maxSteps {
		return nil
	}
	earlier := (&Playbook{Steps: all}).before()[len(before)]
	for i, other := range before {
		if earlier.has(i) {
			names = append(names, other.Name)
		}
	}
	return names
}
