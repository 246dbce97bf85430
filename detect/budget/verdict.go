package budget

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

const (
	// A false alarm of an entity asks for a p that is about seven times
	// smaller, a true one is content with one that is about three times larger;
	// together no more than so much.
	perFalse, perTrue = 2.0, -1.0
	mostFalse         = 6.0
	mostTrue          = -2.0
	// halfLife is the time in which half of that is forgotten.
	halfLife = 30 * 24 * time.Hour
	// maxVerdicts is how many entities are remembered.
	maxVerdicts = 1000
)

// verdicts are what people said of findings.
type verdicts struct {
	entities     map[uint64]adjusted
	right, wrong float64
}

// adjusted is by how much an entity's threshold is higher, at a time.
type adjusted struct {
	by float64
	at time.Time
}

// Effect is what a verdict changed.
type Effect struct {
	// NeedBefore and NeedAfter are the p that the entity needs.
	NeedBefore, NeedAfter float64
	// PerDayBefore and PerDayAfter are how much of alerts_per_day is spent; 0
	// of other budgets.
	PerDayBefore, PerDayAfter float64
}

// Verdict takes what a person said of a finding of an entity: right or a false
// alarm. It changes what the entity needs, and, of alerts a day, how much of
// them is spent: a model that is mostly wrong gets less attention.
func (b *Budget) Verdict(entity uint64, now time.Time, right bool) Effect {
	e := Effect{NeedBefore: math.Exp(-b.need - b.verdict.of(entity, now)), PerDayBefore: b.perDay()}
	by := perFalse
	if right {
		b.count.True++
		b.verdict.right++
		by = perTrue
	} else {
		b.count.False++
		b.verdict.wrong++
	}
	b.verdict.adjust(entity, now, by)
	e.NeedAfter, e.PerDayAfter = math.Exp(-b.need-b.verdict.of(entity, now)), b.perDay()
	return e
}

// Verdicts are what people said of findings, for a budget that begins anew.
type Verdicts struct {
	// Right and Wrong are how many there were.
	Right uint64 `json:"right,omitempty"`
	Wrong uint64 `json:"wrong,omitempty"`
	// Entities are those whose thresholds they moved, in order of their numbers.
	Entities []EntityVerdict `json:"entities,omitempty"`
}

// EntityVerdict is what verdicts made of the threshold of an entity.
type EntityVerdict struct {
	Entity uint64 `json:"entity"`
	// By is how much higher it was at a time, in units of ln p; half of that is
	// forgotten in 30 days.
	By float64   `json:"by"`
	At time.Time `json:"at"`
}

// Verdicts are those that were given, of all and of each entity.
func (b *Budget) Verdicts() Verdicts {
	out := Verdicts{Right: b.count.True, Wrong: b.count.False}
	for _, entity := range slices.Sorted(maps.Keys(b.verdict.entities)) {
		a := b.verdict.entities[entity]
		out.Entities = append(out.Entities, EntityVerdict{entity, a.by, a.at})
	}
	return out
}

// TakeVerdicts goes on with verdicts that were given before, in place of its own.
// What is beyond the bounds of verdicts counts as far as those.
func (b *Budget) TakeVerdicts(v Verdicts) {
	b.count.True, b.count.False = v.Right, v.Wrong
	b.verdict = verdicts{entities: map[uint64]adjusted{}, right: float64(v.Right), wrong: float64(v.Wrong)}
	for _, e := range v.Entities[:min(len(v.Entities), maxVerdicts)] {
		b.verdict.entities[e.Entity] = adjusted{min(mostFalse, max(mostTrue, e.By)), e.At.UTC()}
	}
}

// worth is the share of the budget that is spent, from a quarter to all of it.
func (v *verdicts) worth() float64 {
	const doubt = 4 // as if so many had been right already
	return max(0.25, (v.right+doubt)/(v.right+v.wrong+doubt))
}

func (v *verdicts) of(entity uint64, now time.Time) float64 {
	a, ok := v.entities[entity]
	if !ok {
		return 0
	}
	return a.by * math.Exp2(-float64(max(0, now.Sub(a.at)))/float64(halfLife))
}

func (v *verdicts) adjust(entity uint64, now time.Time, by float64) {
	if v.entities == nil {
		v.entities = map[uint64]adjusted{}
	}
	if _, known := v.entities[entity]; !known && len(v.entities) >= maxVerdicts {
		delete(v.entities, v.least(now))
	}
	v.entities[entity] = adjusted{min(mostFalse, max(mostTrue, v.of(entity, now)+by)), now}
}

// least is the entity whose verdicts say least by now.
func (v *verdicts) least(now time.Time) uint64 {
	return slices.MinFunc(slices.Sorted(maps.Keys(v.entities)), func(a, b uint64) int {
		return cmp.Compare(math.Abs(v.of(a, now)), math.Abs(v.of(b, now)))
	})
}

func (v *verdicts) save(out *pack.Writer) {
	out.Float(v.right)
	out.Float(v.wrong)
	out.Len(len(v.entities))
	for _, entity := range slices.Sorted(maps.Keys(v.entities)) {
		out.Uint(entity)
		out.Float(v.entities[entity].by)
		out.Int(v.entities[entity].at.UnixNano())
	}
}

func (v *verdicts) load(in *pack.Reader) {
	v.right, v.wrong = in.Float(), in.Float()
	v.entities = map[uint64]adjusted{}
	for range in.Count(maxVerdicts) {
		entity := in.Uint()
		v.entities[entity] = adjusted{in.Float(), time.Unix(0, in.Int()).UTC()}
	}
}
