package detect

import (
	"math"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/internal/event"
)

// worse is by what factor p has to be smaller for an entity to be found again
// while it is quiet: what is told of something small does not hide what is large.
const worse = 100

// again says whether what is odd in a row is to be counted with what was found of
// its entity before.
func (m *modeller) again(o *observation, score float64, rule bool) bool {
	if !m.quiet.holds(o.who.Entity, o.at) {
		return !rule && m.goesOn(o, score)
	}
	if last := m.lastOf(o.who.Entity); last >= 0 && m.worsened(score, &m.wait.list[last]) {
		return false
	}
	return !m.differs(o)
}

// worsened says whether a score is so much worse than that of what was found that
// it is told beside it: by what it is rarer, or because only it is clear by itself.
// How rare the rarest is nobody knows better than from all scores that there were.
func (m *modeller) worsened(score float64, than *waits) bool {
	return worse*m.budget.P(score) <= than.p || score >= clearScore && than.score < clearScore
}

// goesOn says whether what is odd in a row is what was told of its entity before
// and still waits to be learned: without the values that wait it would be usual.
// It is counted for the finding that told it, and takes nothing of the budget.
func (m *modeller) goesOn(o *observation, score float64) bool {
	if m.budget.P(score) > m.budget.Need() {
		return false
	}
	last := m.lastOf(o.who.Entity)
	if last < 0 || m.budget.P(m.scoreWithout(o)) <= m.budget.Need() {
		return false
	}
	w := &m.wait.list[last]
	m.quiet.resume(o.who.Entity, &event.Finding{ID: w.finding, Time: o.env.Time}, o.at, w.count)
	return true
}

// lastOf is the place of the last of an entity's findings that waits, -1 if there
// is none.
func (m *modeller) lastOf(k baseline.Key) int {
	for i := len(m.wait.list) - 1; i >= 0; i-- {
		if w := &m.wait.list[i]; !w.done && w.who.Entity == k {
			return i
		}
	}
	return -1
}

// anyFeature is every feature, a bit each.
const anyFeature = math.MaxUint64

// waitingOf is how many findings of an entity wait that named one of some features,
// a bit each. What was told beside another counts while that is quiet, so that
// nobody spends the budget on one entity; after it they are one, so that they hide
// nothing that comes later.
func (m *modeller) waitingOf(k baseline.Key, now time.Time, named uint64) (n int) {
	quiet := m.quiet.holds(k, now)
	for i := range m.wait.list {
		if w := &m.wait.list[i]; !w.done && w.who.Entity == k && (quiet || !w.beside && w.named&named != 0) {
			n++
		}
	}
	return n
}

// alike is how many of the findings of a row's entity that wait named what leads it:
// who stumbles twice does not take the credit of who copies data from it.
func (m *modeller) alike(o *observation, score float64, before int) int {
	if before == 0 || score < usualScore {
		return before
	}
	return m.waitingOf(o.who.Entity, o.at, 1<<m.leading(0))
}

// highest says whether no finding that waits, of anybody, has a score as high.
func (m *modeller) highest(score float64) bool {
	return !slices.ContainsFunc(m.wait.list, func(w waits) bool { return !w.done && w.score >= score })
}

// scoreWithout is the score of a row without the values that wait for its entity.
func (m *modeller) scoreWithout(o *observation) float64 {
	m.without = func(category int, v baseline.Value) bool {
		for i := range m.wait.list {
			if w := &m.wait.list[i]; !w.done && w.who.Entity == o.who.Entity && slices.ContainsFunc(w.seen, func(s seenValue) bool {
				return s.category == category && s.Hash == v.Hash
			}) {
				return true
			}
		}
		return false
	}
	m.fill(o)
	score := m.forest.Score(m.row)
	m.without = nil
	m.fill(o)
	return score
}
