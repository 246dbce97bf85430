package detect

import (
	"encoding/hex"
	"math"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/budget"
	"github.com/firebreak-io/firebreak/internal/event"
)

// anomaly is what expressions see of a score.
type anomaly struct {
	// Score is the forest's, 0 to 1; P the share of recent scores that are as
	// high; Decision is below 0 for what counts as anomalous, as in
	// scikit-learn.
	Score    float64 `expr:"score"`
	P        float64 `expr:"p"`
	Decision float64 `expr:"decision"`
}

// modelEnv is what the threshold and the message see.
type modelEnv struct {
	Anomaly anomaly     `expr:"anomaly"`
	Entity  string      `expr:"entity"`
	Object  event.Ref   `expr:"object"`
	Actor   event.Actor `expr:"actor"`
}

// warming is what was seen so far.
type warming struct {
	events uint64
	since  time.Time
}

// measure scores what was observed, learns it, and gives the finding if it is
// one.
func (m *modeller) measure(o *observation) []event.Finding {
	o.e = m.base.Touch(o.who)
	m.now = o
	defer func() { m.now = nil }()
	m.renew(o)
	m.fill(o)
	score := m.forest.Score(m.row)
	found, d := m.judge(o, score)
	if m.traced != nil {
		m.traced(o, score, d)
	}
	m.notice(o, score, d)
	m.warm.events++
	if m.warm.since.IsZero() {
		m.warm.since = o.at
	}
	var out []event.Finding
	if found {
		f := m.finding(o, score, d)
		beside := m.quiet.holds(o.who.Entity, o.at)
		m.quiet.anew(o.who.Entity, &f, o.at)
		named := m.tell(o, &f)
		out = append(out, f)
		m.hold(o, &f, d.P, named, beside)
	}
	m.learn(o, score, found || d.P <= d.Need && m.ready(o.at))
	if m.remark(o); !o.silent {
		m.base.Observe(o.e, o.at)
	}
	m.freeze(o.at)
	return out
}

// fill makes the row of what is observed.
func (m *modeller) fill(o *observation) {
	for _, c := range m.measures { // an expression may ask for some of them alone
		c.seen, c.noted, c.given = c.seen[:0], baseline.Value{}, math.NaN()
	}
	for i, f := range m.features {
		v, err := f.Any(o.env)
		m.failed(err)
		m.row[i] = toNumber(v)
	}
}

// freeze lets the anchors stand still when it is time for that the first time:
// from then on only who approves the model changes them.
func (m *modeller) freeze(now time.Time) {
	if m.forest.Anchored() > 0 || len(m.pinned) > 0 {
		return
	}
	switch m.d.Spec.Forest.Anchors {
	case anchorWarm:
		if m.ready(now) {
			m.forest.Approve()
		}
	case anchorFull:
		if m.forest.Stats().Rows == m.forest.Reservoir() {
			m.forest.Approve()
		}
	}
}

// renew tells the baseline which version the entity has.
func (m *modeller) renew(o *observation) {
	if m.version == nil {
		return
	}
	version := o.version
	if m.d.Spec.Every == 0 {
		text, err := m.version.Text(o.env)
		m.failed(err)
		version = text
	}
	if version != "" && !o.silent {
		o.e.Rollout(baseline.ValueOf(version), o.at, m.d.Spec.Rollout.For.Std())
	}
}

// ready says whether enough was seen.
func (m *modeller) ready(now time.Time) bool {
	events, left := m.missing(now)
	return events == 0 && left == 0
}

// missing is what has to be seen yet before anything is found.
func (m *modeller) missing(now time.Time) (events int, left time.Duration) {
	w, seen := m.d.Spec.WarmUp, int(min(m.warm.events, math.MaxInt32)) // #nosec G115 -- bounded
	_, rows := m.forest.Ready()
	events = max(w.Events-seen, rows+max(0, w.unlearned()-seen))
	left = w.For.Std()
	if !m.warm.since.IsZero() {
		left -= now.Sub(m.warm.since)
	}
	return max(0, events), max(0, left)
}

// judge says whether a score is found.
func (m *modeller) judge(o *observation, score float64) (bool, budget.Decision) {
	entity := entityNumber(o.who)
	c := budget.Circumstance{Rule: m.heard.of(o.who.Entity, o.at), Newcomer: !o.e.Established(), Before: m.waitingOf(o.who.Entity, o.at, anyFeature)}
	c.Alike, c.Highest = m.alike(o, score, c.Before), score >= clearScore && m.highest(score)
	silent := !m.ready(o.at)
	again := !silent && m.again(o, score, c.Rule)
	c.Quiet = silent || again || m.threshold != nil
	if m.threshold != nil {
		p := m.budget.P(score)
		ok, err := m.threshold.Bool(&modelEnv{Anomaly: anomaly{score, p, m.budget.Threshold() - score}, Entity: o.who.Label, Object: o.env.Object, Actor: o.env.Actor})
		m.failed(err)
		switch {
		case !ok:
			return false, m.budget.Judge(entity, o.at, score, c)
		case m.alone():
			d := m.budget.Judge(entity, o.at, score, c)
			d.Need = d.P
			return !silent && m.fresh(o, again), d
		}
		c.Quiet = silent || again
	}
	d := m.budget.Judge(entity, o.at, score, c)
	if again && !silent && d.P <= d.Need {
		m.fresh(o, true)
	}
	return d.Found, d
}

// alone says whether the condition decides without a budget.
func (m *modeller) alone() bool {
	b := m.d.Spec.Budget
	return b.AlertsPerDay == 0 && b.P == 0 && b.Contamination == 0
}

// fresh is false for an entity that was found just now, which is counted.
func (m *modeller) fresh(o *observation, again bool) bool {
	if again {
		m.quiet.first(o.who.Entity, &event.Finding{Time: o.env.Time}, o.at, false)
		if i := m.lastOf(o.who.Entity); i >= 0 {
			m.wait.list[i].count = m.quiet.counted(o.who.Entity)
		}
	}
	return !again
}

// learn makes what was observed part of what is usual. What is found, or would
// be, waits: only its numbers are taken, of which one far off counts as less
// far.
func (m *modeller) learn(o *observation, score float64, odd bool) {
	// What goes on of what was found is no measure for others: who attacks with
	// several identities must not make each the excuse of the next.
	if !odd || !m.quiet.holds(o.who.Entity, o.at) {
		m.budget.Learn(principal(o), o.at, score)
	}
	for _, c := range m.measures {
		if c.sum >= 0 && !o.silent { // it is what happens, not what is usual; that nothing came is told beside
			m.base.Follow(o.e, c.sum, c.given, trailing)
		}
	}
	if len(m.pinned) > 0 {
		return
	}
	for i, f := range m.features {
		if f.told == nil || f.number != f.told.number {
			m.base.Learn(o.e, f.number, m.row[i], baseline.Basis{Trust: 1}, o.at)
		}
	}
	for _, c := range m.measures {
		if c.number >= 0 {
			m.base.Learn(o.e, c.number, c.given, c.basis, o.at)
		}
	}
	if odd || m.withheld(o) {
		return
	}
	for _, c := range m.measures {
		for _, v := range c.seen {
			if c.category >= 0 {
				m.base.See(o.e, c.category, v, o.at)
			}
		}
	}
	// What came first was measured against hardly any past.
	if m.warm.events > uint64(m.d.Spec.WarmUp.unlearned()) { // #nosec G115 -- not negative
		m.forest.Add(m.row, principal(o), o.at)
	}
}

// finding is what is claimed of an observation.
func (m *modeller) finding(o *observation, score float64, d budget.Decision) event.Finding {
	f := event.Finding{
		ID:    event.FindingID(m.d.name, hex.EncodeToString(o.who.Entity[:]), o.id),
		Model: m.d.name, Version: m.d.version, Score: score, P: d.P,
		Entity: o.who.Label, Subject: o.env.Object, Actor: o.env.Actor, Source: o.env.Source, Trust: o.env.Trust,
		Events: o.events, Time: o.env.Time, Received: o.env.Received,
	}
	m.d.Spec.claimed(&f, m.d.attack, m.d.labels)
	m.explainFinding(o, &f)
	m.credit(&f)
	text, err := m.message.Render(&modelEnv{Anomaly: anomaly{score, d.P, m.budget.Threshold() - score}, Entity: o.who.Label, Object: f.Subject, Actor: f.Actor})
	if m.failed(err); text != "" {
		f.Explanation = text + ". " + f.Explanation
	}
	if len(f.Explanation) > maxExplanation {
		f.Explanation = cutText(f.Explanation, maxExplanation)
	}
	return f
}
