package detect

import (
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/budget"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// ModelLook is how a model looked at an event.
type ModelLook struct {
	// Entity is whom it was measured for. End is when its interval is over, and
	// Events how many there are in it so far; of a model without intervals it is
	// zero.
	Entity string
	End    time.Time
	Events uint64
	// Missing and MissingTime are what lacked before anything could be found.
	Missing     int
	MissingTime time.Duration
	// Score, P and Need are those of the event, or of what the interval has so
	// far; Rule says that a rule had matched on the entity. Held is that it would
	// have been found, had the budget not been spent.
	Score, P, Need float64
	Rule, Held     bool
	// Features say why it scores so, the one that counts most first, and
	// Counterfactual those of which it would be usual.
	Features       []event.Feature
	Counterfactual []string
	// Words is the same for people.
	Words string
}

// noticed is what a model notes of the event that is explained.
type noticed struct {
	look *ModelLook
	// out says that it was not measured, because of the stage and for the reason.
	out    Stage
	reason string
	quiet  bool
}

func (m *modeller) watch(w *watched) {
	m.noticed = nil
	if w != nil && !w.brief { // to tell how a model measures takes much longer than to do so
		m.noticed = &noticed{}
	}
}

// explain says how far the last event came; see [explaining].
func (m *modeller) explain(e *event.Event, l *Look) {
	l.Steps = []StepLook{m.step(e)}
	if !l.Steps[0].Selected {
		l.Stage, l.Reason = StageSource, "it looks at source "+strings.Join(m.sourceNames(), " or ")+", not at source "+string(e.Source)+", class \""+e.Class+"\""
		return
	}
	n := m.noticed
	switch {
	case n == nil || n.look == nil && !l.Steps[0].Matched:
		l.Stage, l.Reason = StageWhen, "when is not true"
		if u := l.Steps[0].Unless; u != nil && u.Truth == conf.True && holds(l.Steps[0].When) {
			l.Stage, l.Reason = StageUnless, "unless is true"
		}
		return
	case n.out != "":
		l.Stage, l.Reason = n.out, n.reason
		return
	case n.look == nil:
		return
	}
	l.Model, l.Stage = n.look, StageMeasured
	k := n.look
	switch {
	case k.Missing > 0 || k.MissingTime > 0:
		l.Stage, l.Reason = StageWarming, text(k.Missing)+" measurements and "+k.MissingTime.Round(time.Second).String()+" are missing before anything is found"
	case !k.End.IsZero():
		l.Reason = "its interval ends at " + k.End.UTC().Format(time.RFC3339) + ", and is judged then"
	case n.quiet:
		l.Stage, l.Reason = StageSuppressed, "its entity was found a short time ago, so that it is only counted"
	case k.Held:
		l.Stage, l.Reason = StageHeld, "the budget is spent"
	default:
		l.Reason = "it needs p " + short(k.Need) + ", and has " + short(k.P)
	}
}

func (m *modeller) sourceNames() (all []string) {
	for _, s := range m.d.sources {
		all = append(all, string(s))
	}
	return all
}

// step is what the model's conditions say of an event.
func (m *modeller) step(e *event.Event) StepLook {
	s := &m.d.Spec
	l := StepLook{Selected: (s.Class == "" || e.Class == string(s.Class)) && slices.Contains(m.d.sources, e.Source)}
	if !l.Selected {
		return l
	}
	l.Matched = true
	trace := func(x conf.Expression) *conf.Trace {
		c, err := x.Conditions(env, conf.Taking{Funcs: functions})
		if x.IsZero() || err != nil {
			return nil // it was compiled when it was loaded
		}
		t := c.Trace(e)
		return &t
	}
	if t := trace(s.When); t != nil {
		l.When, l.Matched = []conf.Trace{*t}, t.Truth == conf.True
	}
	if l.Unless = trace(s.Unless); l.Unless != nil {
		l.Matched = l.Matched && l.Unless.Truth != conf.True
	}
	return l
}

// notice keeps what was found of an event that is explained.
func (m *modeller) notice(o *observation, score float64, d budget.Decision) {
	n := m.noticed
	if n == nil || m.d.Spec.Every != 0 {
		return
	}
	n.quiet = m.quiet.holds(o.who.Entity, o.at)
	n.look = m.lookOf(o, score, d.P, d.Need)
	n.look.Held, n.look.Rule = d.Held, m.heard.of(o.who.Entity, o.at)
}

// missedOut notes why an event is in no interval.
func (m *modeller) missedOut(reason string) {
	if m.noticed != nil {
		m.noticed.out, m.noticed.reason = StageMeasured, reason
	}
}

// lookOf explains a row that was scored, whether it was found or not.
func (m *modeller) lookOf(o *observation, score, p, need float64) *ModelLook {
	k := &ModelLook{Entity: o.who.Label, Score: score, P: p, Need: need}
	k.Missing, k.MissingTime = m.missing(o.at)
	f := event.Finding{Entity: o.who.Label, P: p}
	m.explainFinding(o, &f)
	if k.Features, k.Counterfactual = f.Features, f.Counterfactual; len(f.Features) > 0 {
		k.Words = f.Explanation
	}
	return k
}

// soFar explains what an interval has by now, as if it were over. Nothing is
// learned by it.
func (m *modeller) soFar(in *interval) {
	n := m.noticed
	if n == nil {
		return
	}
	end := in.end(m.open.every)
	o := &observation{who: in.who, at: end, env: &in.like, cells: in.cells, e: m.base.Find(in.who.Entity)}
	if o.e == nil { // it was never measured
		n.look = &ModelLook{Entity: in.who.Label, End: end, Events: in.count}
		n.look.Missing, n.look.MissingTime = m.missing(end)
		return
	}
	m.now = o
	m.fill(o)
	m.now = nil
	score := m.forest.Score(m.row)
	n.look = m.lookOf(o, score, m.budget.P(score), m.budget.Need())
	n.look.End, n.look.Events, n.look.Rule = end, in.count, m.heard.of(in.who.Entity, end)
}
