package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Explanation is what became of an event.
type Explanation struct {
	// Fresh is false of an event that was seen before, Own true of what
	// Firebreak did itself: neither is looked at.
	Fresh, Own bool
	// Looks are those of the detectors, in order of their names.
	Looks []Look
	// Findings are all that came with the event, also those that were due before
	// it.
	Findings []event.Finding
	Err      error
}

// explaining is a detector that says how far the next event gets.
type explaining interface {
	// watch notes what happens until it is called with nil.
	watch(w *watched)
	// explain adds to a look what became of the event that was folded last.
	explain(e *event.Event, l *Look)
}

// Extent says of which detectors an explanation tells.
type Extent struct {
	// Every names detectors that are told of though they were not asked; nil
	// names none.
	Every func(name string) bool
	// Matched leaves out rules of which no step's when holds for the event: to
	// tell why it does not takes much longer than to find that out.
	Matched bool
}

// Explain folds an event as [Engine.Fold] does, and says how each detector
// looked at it.
func (g *Engine) Explain(e *event.Event, at event.Address, of Extent) Explanation {
	running := g.running // a control event may put others in their place
	watches := make([]watched, len(running))
	for i := range running {
		watches[i].brief = of.Matched
		if x, ok := running[i].run.(explaining); ok {
			x.watch(&watches[i])
			defer x.watch(nil)
		}
	}
	asked := make([]bool, len(running))
	for i := range g.index.of(e) {
		asked[i] = true
	}
	index := g.index
	var x Explanation
	x.Findings, x.Fresh, x.Err = g.Fold(e, at)
	x.Own = e.Actor.User != "" && slices.Contains(g.o.Own, e.Actor.User)
	if !x.Fresh || x.Own {
		return x
	}
	for i := range running {
		if !asked[i] && (of.Every == nil || !of.Every(running[i].Name())) {
			continue
		}
		if _, says := running[i].run.(explaining); says && of.Matched && !watches[i].when {
			continue
		}
		l := Look{Rule: running[i].Name(), Version: running[i].Version(), Stage: StageAsked, Reason: "it was asked, and does not say more"}
		running[i].look(&l, asked[i], e)
		if !asked[i] {
			l.Stage, l.Reason = StageIndex, index.why(i, e)
		}
		l.take(x.Findings, at)
		x.Looks = append(x.Looks, l)
	}
	return x
}

func (s *slot) look(l *Look, asked bool, e *event.Event) {
	if s.off {
		l.Stage, l.Reason = StageOff, "it was switched off because it is slow"
	}
	if x, ok := s.run.(explaining); ok && (!s.off || !asked) {
		x.explain(e, l)
	}
}

// take finds the look's finding among those that came with the event at that
// address.
func (l *Look) take(all []event.Finding, at event.Address) {
	for i := range all {
		if all[i].Rule+all[i].Model != l.Rule || !slices.Contains(all[i].Events, at) {
			continue
		}
		l.Finding, l.Stage, l.Reason = &all[i], StageFound, ""
		if id := all[i].Silence; id != "" {
			l.Stage, l.Reason = StageSilenced, "silence "+id
		}
	}
}

// watched is what a rule notes of an event.
type watched struct {
	when   bool   // that of some step holds
	brief  bool   // nothing is told but of what it holds for
	found  string // the id of what was found, new or not
	window bool   // it came to the window
	late   bool
	quiet  [16]byte
	chains [][16]byte
	whole  bool // a sequence is complete
}

func (s *running) watch(w *watched) { s.watched = w }

// explain says how far the last event came; see [explaining].
func (s *running) explain(e *event.Event, l *Look) {
	t := s.r.apart()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.event = s, e
	defer func() { t.asked, t.event = nil, nil }()
	l.Error = t.err
	matched := false
	for i := range s.steps {
		one := s.steps[i].look(t, i, s.chain != nil, e)
		matched = matched || one.Matched
		l.Steps = append(l.Steps, one)
	}
	if !matched {
		l.refused(s, e)
		return
	}
	w := s.watched
	switch {
	case s.window != nil && w.window:
		s.explainWindow(t, e, w, l)
	case s.chain != nil:
		s.explainChain(e, w, l)
	}
	if w.found != "" {
		s.explainFound(w, l)
	}
}

// refused says which step came furthest.
func (l *Look) refused(s *running, e *event.Event) {
	l.Stage, l.Reason = StageSource, fmt.Sprintf("it looks at %s, not at source %s, class %q", s.selects(), e.Source, e.Class)
	for _, st := range l.Steps {
		if !st.Selected {
			continue
		}
		if l.Stage == StageSource {
			l.Stage, l.Reason = StageWhen, "when is not true"
		}
		if !holds(st.When) {
			continue
		}
		l.Stage, l.Reason = StageUnless, "unless is true"
		for _, x := range st.Exceptions {
			if x.Holds && (st.Unless == nil || st.Unless.Truth != conf.True) {
				l.Stage, l.Reason = StageException, fmt.Sprintf("exception %s: %s", x.Name, x.Reason)
			}
		}
	}
}

func holds(all []conf.Trace) bool {
	return !slices.ContainsFunc(all, func(t conf.Trace) bool { return t.Truth != conf.True })
}

// selects says the sources and classes of the steps.
func (s *running) selects() string {
	var all []string
	for _, st := range s.steps {
		var sources []string
		for _, source := range st.sources {
			sources = append(sources, string(source))
		}
		text := "source " + strings.Join(sources, " or ")
		if st.class != "" {
			text += ", class " + st.class
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// look asks the step's expressions, whether the rule itself went so far or not.
func (st *step) look(t *taken, i int, chain bool, e *event.Event) StepLook {
	l := StepLook{Selected: (st.class == "" || e.Class == st.class) && slices.Contains(st.sources, e.Source)}
	conditions := []*conf.Condition{t.when}
	if chain {
		l.Name = st.r.Spec.Sequence.Steps[i].Name
		conditions = append(conditions, t.steps[i])
	}
	if !l.Selected {
		return l
	}
	for _, c := range conditions {
		if c != nil {
			l.When = append(l.When, c.Trace(e))
		}
	}
	l.Matched = holds(l.When)
	if t.unless != nil {
		u := t.unless.Trace(e)
		l.Unless = &u
		l.Matched = l.Matched && u.Truth != conf.True
	}
	for _, x := range st.r.exceptions {
		one := ExceptionLook{Name: x.Name, Reason: x.Spec.Reason, Until: time.Time(x.Spec.Until)}
		if c, err := x.condition(); err == nil {
			one.When = c.Trace(e)
		}
		one.Holds, _ = x.Holds(e)
		l.Matched = l.Matched && !one.Holds
		l.Exceptions = append(l.Exceptions, one)
	}
	return l
}

func groupValues(e *event.Event, names []conf.Expression, by []*conf.Program) []GroupValue {
	var all []GroupValue
	for i, p := range by {
		text, err := p.Text(e)
		if err != nil {
			text = "?"
		}
		all = append(all, GroupValue{names[i].Text, text})
	}
	return all
}

func (s *running) explainWindow(t *taken, e *event.Event, w *watched, l *Look) {
	look := &WindowLook{Group: groupValues(e, s.r.Spec.Window.By, s.window.by), Late: w.late}
	l.Window, l.Stage, l.Reason = look, StageWindow, "having is not true yet"
	if w.late {
		l.Reason = "it came too late for the window of its group"
		return
	}
	if s.again {
		l.Reason = "its request was counted before, at another stage"
	}
	for i, call := range s.window.calls {
		look.Numbers = append(look.Numbers, Number{call.Text, s.window.number(i)})
	}
	if t.having != nil {
		look.Having = t.having.Trace(e)
	}
}

func (s *running) explainChain(e *event.Event, w *watched, l *Look) {
	spec := s.r.Spec.Sequence
	look := &SequenceLook{Complete: w.whole}
	for i, st := range l.Steps {
		if !st.Matched {
			continue
		}
		names := spec.By
		if len(spec.Steps[i].By) > 0 {
			names = spec.Steps[i].By
		}
		look.Group = groupValues(e, names, s.chain.by[i])
		break
	}
	if len(w.chains) > 0 {
		look.Waiting, look.Awaited = s.chain.machine.Peek(w.chains[len(w.chains)-1])
	}
	l.Sequence, l.Stage, l.Reason = look, StageSequence, "other steps are still missing"
	if look.Awaited > 0 {
		l.Reason = "it is a finding unless the last step follows"
	}
}

// explainFound says to what finding it was counted, which may be its own.
func (s *running) explainFound(w *watched, l *Look) {
	l.Stage, l.Suppressed = StageSuppressed, &SuppressedLook{Finding: w.found, Count: 1}
	l.Reason = "it is of the same request as finding " + w.found
	if s.quiet == nil {
		return
	}
	if h := s.quiet.groups[w.quiet]; h != nil {
		l.Suppressed = &SuppressedLook{Finding: h.finding, Count: h.count, Until: h.until}
		l.Reason = fmt.Sprintf("it is counted to finding %s until %s", h.finding, h.until.UTC().Format(time.RFC3339))
	}
}

// why says what an event lacks for a detector to be asked.
func (x *index) why(i int, e *event.Event) string {
	var best string
	most := -1
	for _, n := range x.needs[i] {
		passed, lacks := 0, ""
		for _, c := range n {
			value := valueOf(e, c.path)
			if c.has(value) {
				passed++
			} else if lacks == "" {
				lacks = fmt.Sprintf("%s is %q", indexed[c.path], value)
			}
		}
		if passed > most {
			best, most = lacks, passed
		}
	}
	if best == "" {
		return "its conditions can't be true"
	}
	return "its conditions can't be true: " + best
}
