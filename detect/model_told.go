package detect

import (
	"math"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// tellings are what findings named of their entities, in order of time.
type tellings struct {
	list []toldOf
}

type toldOf struct {
	entity baseline.Key
	// named are the features, a bit each.
	named uint64
	until time.Time
}

// maxTold is of how many findings it is known what they named.
const maxTold = 1000

// differs says whether a row is odd by what no finding of its entity has named
// while that was quiet: with the features that were named as usual as can be it
// still is what the budget asks for after those findings. What leads then is named
// by the next, so that no feature does so twice in that time.
func (m *modeller) differs(o *observation) bool {
	named := m.told.of(o.who.Entity, o.at)
	if named == 0 {
		return false // nobody knows what was told
	}
	rest := m.scoreUsual(named)
	return rest >= usualScore && m.budget.P(rest) <= m.budget.NeedAfter(m.waitingOf(o.who.Entity, o.at, anyFeature))
}

// leading is the feature, beside some that are known, without which the row would
// score least.
func (m *modeller) leading(beside uint64) (lead int) {
	least := math.Inf(1)
	for i := range m.row {
		if score := m.scoreUsual(beside | 1<<i); beside&(1<<i) == 0 && score < least {
			lead, least = i, score
		}
	}
	return lead
}

// scoreUsual is the score of the row, were some features as usual as can be.
func (m *modeller) scoreUsual(which uint64) float64 {
	var row [maxFeatures]float64
	for i, v := range m.row {
		if row[i] = v; which&(1<<i) != 0 {
			row[i] = math.NaN()
		}
	}
	return m.forest.Score(row[:len(m.row)])
}

// tell keeps what a finding names for as long as its entity is quiet, and gives it.
func (m *modeller) tell(o *observation, f *event.Finding) (named uint64) {
	t := toldOf{entity: o.who.Entity, named: 1 << m.leading(m.told.of(o.who.Entity, o.at)), until: o.at.Add(m.quiet.length)}
	for _, x := range f.Features[:countNamed(f.Features)] {
		if i := slices.IndexFunc(m.features, func(o *feature) bool { return o.name == x.Name }); i >= 0 {
			t.named |= 1 << i
		}
	}
	m.told.list = slices.DeleteFunc(m.told.list, func(t toldOf) bool { return !t.until.After(o.at) })
	if len(m.told.list) >= maxTold {
		m.told.list = slices.Delete(m.told.list, 0, 1)
	}
	m.told.list = append(m.told.list, t)
	return t.named
}

// of are the features that were named of an entity and of which the time lasts.
func (t *tellings) of(k baseline.Key, now time.Time) (named uint64) {
	for i := range t.list {
		if o := &t.list[i]; o.entity == k && o.until.After(now) {
			named |= o.named
		}
	}
	return named
}

func (t *tellings) save(out *pack.Writer) {
	out.Len(len(t.list))
	for _, o := range t.list {
		out.Fixed(o.entity[:])
		out.Uint(o.named)
		saveTime(out, o.until)
	}
}

func (t *tellings) load(in *pack.Reader) {
	for range in.Count(maxTold) {
		var o toldOf
		copy(o.entity[:], in.Fixed(len(o.entity)))
		o.named, o.until = in.Uint(), loadTime(in)
		t.list = append(t.list, o)
	}
}
