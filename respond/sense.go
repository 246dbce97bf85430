package respond

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// sense finds what can be read but makes no sense: steps that are never done,
// that destroy before there is evidence, or that can't be undone and ask nobody.
func (l *loader) sense(when conf.Expression, b *Playbook) {
	if len(conf.Select(texts(nil), when)) == 0 {
		l.add(when.Errorf("is never true: the playbook would never run"))
		return
	}
	before := b.before()
	for i, p := range b.Steps[:len(before)] {
		if p.Kind.Name == "" || p.spec == nil {
			continue // it has a problem already
		}
		var earlier []PlaybookStep
		for j, other := range b.Steps {
			if before[i].has(j) {
				earlier = append(earlier, other)
			}
		}
		s := p.sensible(l, earlier)
		if s.reached(when) {
			s.works(when)
		}
		s.evidence(b.Steps)
		s.approval()
	}
}

// sensible is one step that is looked at.
type sensible struct {
	PlaybookStep
	l       *loader
	earlier []PlaybookStep
}

func (s PlaybookStep) sensible(l *loader, earlier []PlaybookStep) sensible {
	return sensible{s, l, earlier}
}

func (s sensible) problem(key, format string, args ...any) {
	at := s.at
	if key != "" {
		at += "." + key
	}
	s.l.add(s.doc.Errorf(at, format, args...))
}

// reached says whether the step's condition can be true, and its problem if not.
func (s sensible) reached(when conf.Expression) bool {
	facts := []conf.Expression{s.spec.When}
	if s.targets == nil {
		facts = append(facts, when) // else target is something else
	}
	if s.spec.When.IsZero() {
		return true
	}
	if len(conf.Select(texts(s.earlier), facts...)) == 0 {
		s.l.add(s.spec.When.Errorf("is never true where the playbook applies: the step is never done"))
		return false
	}
	for _, e := range s.earlier {
		if !s.ends(e) {
			return false
		}
	}
	return true
}

// ends says whether an earlier step can end as the condition wants it to.
func (s sensible) ends(e PlaybookStep) bool {
	path := fmt.Sprintf("steps[%q].state", e.local(s.scope))
	wanted := map[string]bool{}
	for _, needs := range conf.Select([]string{path}, s.spec.When) {
		if len(needs[path]) == 0 {
			return true // in some case it doesn't matter
		}
		for _, state := range needs[path] {
			wanted[state] = true
		}
	}
	final := []string{string(event.StepDone), string(event.StepSkipped), string(event.StepDenied), string(event.StepFailed)}
	for _, state := range sortedKeys(wanted) {
		if !slices.Contains(final, state) {
			s.l.add(s.spec.When.Errorf("step %s is never %q when this is decided: it is %s%s", e.Name, state, strings.Join(final, ", "), conf.Suggest(state, final)))
			return false
		}
	}
	if s.Effect() && e.OnFailure != OnFailureContinue && !wanted[string(event.StepDone)] && !wanted[string(event.StepSkipped)] {
		s.l.add(s.spec.When.Errorf("the step is never done: when step %s fails or is denied, no other effect begins; give that one on_failure: continue", e.Name))
		return false
	}
	return true
}

// works finds an action that can't be done to what the playbook is for.
func (s sensible) works(when conf.Expression) {
	if s.targets != nil || len(s.Kind.Targets) == 0 {
		return
	}
	const path = "target.resource"
	wanted := map[string]bool{}
	for _, needs := range conf.Select([]string{path}, when, s.spec.When) {
		if len(needs[path]) == 0 {
			return
		}
		for _, resource := range needs[path] {
			if s.Kind.Allows(resource) {
				return
			}
			wanted[resource] = true
		}
	}
	advice := ""
	if slices.Contains(s.Kind.Targets, "nodes") && wanted["pods"] {
		advice = "; for the pod's node give the step target: node(target.node)"
	}
	s.problem("action", "%s is for %s, and what the playbook is about are %s%s", s.Action,
		strings.Join(s.Kind.Targets, ", "), strings.Join(sortedKeys(wanted), ", "), advice)
}

// evidence finds destruction before there is evidence.
func (s sensible) evidence(all []PlaybookStep) {
	destroys, key := s.Kind.Destroys, "action"
	if s.AtEnd == event.AtEndDelete {
		// People are asked before that, and see what is kept.
		destroys, key = s.Kind.Destroys || s.l.mode == event.ModeAct && s.Approve == nil, "at_end"
	}
	keeps := func(p PlaybookStep) bool { return p.Kind.Evidence }
	if !destroys || slices.ContainsFunc(s.earlier, keeps) {
		return
	}
	if i := slices.IndexFunc(all, keeps); i >= 0 {
		s.problem(key, "destroys what step %s would keep as evidence: put that one before it", all[i].Name)
		return
	}
	advice := "put a step before it that keeps some, as pod.logs does"
	if key == "at_end" {
		advice += ", or at_end: ask"
	}
	s.problem(key, "destroys what it is about before there is evidence: %s", advice)
}

// approval finds what can't be undone and asks nobody.
func (s sensible) approval() {
	if s.l.mode != event.ModeAct || s.Approve != nil || !s.Effect() {
		return
	}
	if !s.Kind.Reversible {
		s.problem("action", "%s can't be undone: in mode act the step needs approve, as in approve: {need: 1}", s.Action)
	}
	if s.AtEnd == event.AtEndDelete {
		s.problem("at_end", "deleting can't be undone: in mode act the step needs approve, as in approve: {need: 1}, or at_end: ask")
	}
}

// local is the name of a step as those of a scope know it.
func (s PlaybookStep) local(scope string) string {
	if scope != "" && s.scope == scope {
		return strings.TrimPrefix(s.Name, scope)
	}
	return s.Name
}

// texts are the paths that conditions compare with constant texts.
func texts(steps []PlaybookStep) []string {
	paths := []string{
		"finding.rule", "finding.model", "finding.severity", "finding.source", "finding.threat", "incident.priority", "incident.severity",
		"target.resource", "target.kind", "target.namespace", "target.name", "target.node", "target.workload.kind",
	}
	for _, s := range steps {
		paths = append(paths, fmt.Sprintf("steps[%q].state", s.Name), fmt.Sprintf("steps[%q].result", s.Name))
		if s.scope != "" {
			paths = append(paths, fmt.Sprintf("steps[%q].state", s.local(s.scope)), fmt.Sprintf("steps[%q].result", s.local(s.scope)))
		}
	}
	return paths
}

func sortedKeys(m map[string]bool) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
