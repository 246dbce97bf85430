package detect

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// waiting is findings about which somebody may still say whether they were
// right. What they were made of is not learned until then, or until it waited
// long enough.
type waiting struct {
	list []waits
	// said is what the last verdicts changed, for people.
	said []string
}

// waits is one finding.
type waits struct {
	finding string
	who     baseline.Who
	score   float64
	until   time.Time
	seen    []seenValue
	// as is who its score was counted for.
	as uint64
	// p is that of its score, count how often it came by now.
	p     float64
	count uint64
	// named are the features that it named, a bit each.
	named uint64
	// beside says that it was told while its entity was quiet for another.
	beside bool
	// done says that the row waits no more.
	done bool
}

type seenValue struct {
	category int
	baseline.Value
}

const (
	// maxWaiting is how many findings may get a verdict.
	maxWaiting = 500
	maxSaid    = 20
)

// row is the number of the finding's row in quarantine.
func (w *waits) row() uint64 { return rowID(w.finding) }

func rowID(finding string) uint64 {
	b, err := hex.DecodeString(finding)
	if err != nil || len(b) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// hold keeps what was found out of what is learned.
func (m *modeller) hold(o *observation, f *event.Finding, p float64, named uint64, beside bool) {
	w := waits{finding: f.ID, who: o.who, score: f.Score, as: principal(o), p: p, count: 1, named: named, beside: beside, until: o.at.Add(m.d.Spec.Quarantine.Std())}
	for _, c := range m.measures {
		for _, v := range c.seen {
			v.Text = strings.Clone(v.Text)
			w.seen = append(w.seen, seenValue{c.category, v})
		}
	}
	m.forest.Hold(w.row(), m.row, principal(o), o.at)
	if len(m.wait.list) >= maxWaiting {
		m.wait.list = slices.Delete(m.wait.list, 0, 1)
	}
	m.wait.list = append(m.wait.list, w)
}

// timeout learns what waited long enough.
func (m *modeller) timeout(now time.Time) {
	m.decided.timeout(now)
	for i := range m.wait.list {
		if w := &m.wait.list[i]; !w.done && !w.until.After(now) {
			m.release(w, now)
		}
	}
}

func (m *modeller) release(w *waits, now time.Time) {
	w.done = true
	m.forest.Release(w.row())
	if len(m.pinned) > 0 {
		return
	}
	if e := m.base.Find(w.who.Entity); e != nil {
		for _, v := range w.seen {
			m.base.See(e, v.category, v.Value, now)
		}
	}
}

// verdict takes what a person said of a finding. A false alarm is learned; what
// was right never is.
func (m *modeller) verdict(finding string, right bool, now time.Time) {
	i := slices.IndexFunc(m.wait.list, func(w waits) bool { return w.finding == finding })
	if i < 0 {
		if k := m.decided.verdict(finding, right); k != nil {
			m.adjust(k.Entity, k.Label, right, now)
		}
		return
	}
	w := &m.wait.list[i]
	m.adjust(w.who.Entity, w.who.Label, right, now)
	if right {
		m.forest.Drop(w.row())
		m.budget.Forget(w.as, w.score)
	} else if !w.done {
		m.release(w, now)
	}
	m.wait.list = slices.Delete(m.wait.list, i, i+1)
}

// adjust gives the budget a verdict on an entity, and keeps what that changed.
func (m *modeller) adjust(entity baseline.Key, label string, right bool, now time.Time) {
	effect := m.budget.Verdict(entityNumber(baseline.Who{Entity: entity}), now, right)
	word := "false alarm"
	if right {
		word = "right"
	}
	said := word + " for " + label + ": it needs p " + short(effect.NeedAfter) + " instead of " + short(effect.NeedBefore)
	if effect.PerDayAfter > 0 {
		said += ", the model spends " + short(effect.PerDayAfter) + " alerts a day instead of " + short(effect.PerDayBefore)
	}
	if m.wait.said = append(m.wait.said, said); len(m.wait.said) > maxSaid {
		m.wait.said = slices.Delete(m.wait.said, 0, 1)
	}
}

// ordered does what a control event says, if it is for models.
func (m *modeller) ordered(e *event.Event, now Moment) bool {
	field := func(name string) string { s, _ := e.Fields[name].(string); return s }
	switch e.Verb {
	case event.VerbVerdict:
		if v := field("verdict"); v == "true" || v == "false" {
			m.verdict(field("finding"), v == "true", now.Now)
		}
		return true
	case event.VerbModel:
		if field("model") == m.d.name {
			m.order(field("do"), now.Now)
		}
		return true
	}
	return false
}

// order pins the model, lets it go on, takes it back or approves it.
func (m *modeller) order(do string, now time.Time) {
	switch do {
	case event.ModelPin:
		m.decided.answered()
		if len(m.pinned) > 0 { // what it was then is what it goes back to
			return
		}
		var out pack.Writer
		m.saveLearned(&out)
		m.pinned = out.Data
	case event.ModelUnpin:
		m.pinned = nil
		m.decided.answered()
	case event.ModelRollback:
		if len(m.pinned) == 0 {
			return
		}
		fresh, err := openModel(m.d, m.limits)
		if err != nil || fresh.loadLearned(pack.NewReader(m.pinned)) != nil {
			return
		}
		m.base, m.forest, m.budget = fresh.base, fresh.forest, fresh.budget
	case event.ModelApprove:
		m.forest.Approve()
		m.decided.Approved = now
	}
}
