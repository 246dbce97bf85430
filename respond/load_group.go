package respond

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// use is one use of a step group.
type use struct {
	// scope begins the names of its steps.
	scope  string
	params func(Env) (map[string]any, error)
	// constants are the parameters that are known before any run.
	constants map[string]any
	// reads are the steps that what it gives to the parameters is of.
	reads []string
}

// useGroup puts the steps of a group in the place of the step that uses it.
func (l *loader) useGroup(all []PlaybookStep, at string, s *oneSpec, after []int) ([]PlaybookStep, []int) {
	if l.params != nil || l.use != nil {
		l.problem(at+".use", "a step group can't use another one")
		return all, after
	}
	rest := *s
	rest.Name, rest.Use, rest.With = "", "", conf.Raw{}
	if key := rest.given(); key != "" {
		l.problem(at+"."+key, "%s is for a step with an action: give it to the steps of the group", key)
	}
	i := slices.IndexFunc(l.groups, func(d *conf.Document) bool { return d.Kind == GroupKind && d.Metadata.Name == s.Use })
	if i < 0 {
		var names []string
		for _, d := range l.groups {
			names = append(names, d.Metadata.Name)
		}
		l.problem(at+".use", "there is no step group %q%s", s.Use, conf.Suggest(s.Use, names))
		return all, after
	}
	group := l.groups[i]
	var spec groupSpec
	if err := group.Decode(&spec); err != nil {
		l.add(err)
		return all, after
	}
	if !slices.Contains(l.used, group) {
		l.used = append(l.used, group)
	}
	u := &use{scope: s.Name + "."}
	known := l.known(all, PlaybookStep{After: after})
	u.params = l.arguments(at, s, spec, known, u)
	inner := &loader{doc: group, mode: l.mode, params: spec.Params, use: u}
	if inner.params == nil {
		inner.params = map[string]paramSpec{}
	}
	steps, ends := inner.behind(all, spec.Steps, after)
	if len(inner.problems) > 0 {
		l.problems = append(l.problems, inner.problems...)
		l.problem(at+".use", "step group %q has the problems of %s:%d", s.Use, group.File, group.Line)
	}
	return steps, ends
}

// behind compiles a group's steps behind those that there are.
func (l *loader) behind(all []PlaybookStep, specs []stepSpec, after []int) ([]PlaybookStep, []int) {
	if n := len(specs); n == 0 || n > maxSteps {
		l.problem("spec.steps", "%d steps: a step group has 1 to %d", n, maxSteps)
		return all, after
	}
	return l.list(all, specs, after)
}

// arguments compiles what a use gives to the group's parameters.
func (l *loader) arguments(at string, s *oneSpec, spec groupSpec, known []string, u *use) func(Env) (map[string]any, error) {
	given := map[string]conf.Raw{}
	if err := s.With.Decode(&given); err != nil {
		l.add(err)
		return nil
	}
	values := map[string]func(Env) (any, error){}
	u.constants = map[string]any{}
	for name, raw := range given {
		if _, ok := spec.Params[name]; !ok {
			l.problem(at+".with."+name, "step group %q has no parameter %q%s", s.Use, name, conf.Suggest(name, slices.Sorted(maps.Keys(spec.Params))))
			continue
		}
		values[name] = l.argument(name, raw, known, u)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Params)) {
		if values[name] != nil {
			continue
		}
		standard := spec.Params[name].Default
		if _, ok := given[name]; !ok && standard == nil {
			l.problem(at+".use", "step group %q needs the parameter %q", s.Use, name)
		}
		u.constants[name] = standard
		values[name] = func(Env) (any, error) { return standard, nil }
	}
	return func(env Env) (map[string]any, error) {
		out := make(map[string]any, len(values))
		for name, value := range values {
			v, err := value(env)
			if err != nil {
				return nil, fmt.Errorf("parameter %s: %w", name, err)
			}
			out[name] = v
		}
		return out, nil
	}
}

// argument is one value: a constant, or text with `${…}`.
func (l *loader) argument(name string, raw conf.Raw, known []string, u *use) func(Env) (any, error) {
	var constant any
	if err := raw.Decode(&constant); err != nil {
		l.add(err)
		return nil
	}
	text, ok := constant.(string)
	if !ok || !strings.Contains(text, "${") {
		u.constants[name] = constant
		return func(Env) (any, error) { return constant, nil }
	}
	var t conf.Template
	err := raw.Decode(&t)
	if err != nil {
		l.add(err)
		return nil
	}
	u.reads = append(u.reads, l.asks(t.Members("steps", functions()...), known, "")...)
	compiled, err := t.Compile(Env{}, functions()...)
	if err != nil {
		l.add(err)
		return nil
	}
	return func(env Env) (any, error) { return compiled.Value(&env) }
}

// paramsOf finds parameters that there are none of.
func (l *loader) paramsOf(members []conf.Member) {
	for _, m := range members {
		switch {
		case l.params == nil && l.use == nil && l.doc.Kind != GroupKind:
			l.add(m.Errorf("params are those of a step group"))
		case len(m.Names) > 0:
			if _, ok := l.params[m.Names[0]]; !ok {
				l.add(m.Errorf("the step group has no parameter %q%s", m.Names[0], conf.Suggest(m.Names[0], slices.Sorted(maps.Keys(l.params)))))
			}
		}
	}
}
