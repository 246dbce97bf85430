package detect

import (
	"fmt"
	"math"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// modelFunctions are what features are made of; see [ModelSpec.Features].
var modelFunctions = []string{
	"count", "rate", "ratio", "sum", "avg", "min", "max", "quantile", "distinct", "entropy",
	fnSurprisal, fnNovelty, fnGap, fnRel + "+", fnJump + "+", fnTrail + "+",
}

const (
	fnSurprisal = "surprisal"
	fnNovelty   = "novelty"
	fnGap       = "interarrival"
	fnRel       = "rel"
	fnJump      = "jump"
	fnTrail     = "trail"
)

// arguments are how many each takes, least and most.
var modelArguments = map[string][2]int{
	"count": {0, 1}, "rate": {0, 1}, "ratio": {1, 2}, "sum": {1, 1}, "avg": {1, 1}, "min": {1, 1}, "max": {1, 1}, "quantile": {2, 2},
	"distinct": {1, 4}, "entropy": {1, 4}, fnSurprisal: {1, 4}, fnNovelty: {1, 4}, fnGap: {0, 0}, fnRel: {1, 1}, fnJump: {1, 1}, fnTrail: {1, 1},
}

// measure is one call of a function in a feature.
type measure struct {
	conf.Aggregate
	q float64
	// category, number and sum are its place in the baseline, cell in the interval;
	// -1 where it has none.
	category, number, sum, cell int
	told                        told
	// feature is which one it is of.
	feature int
	// of is the measure that it is given as it is, -1 if it is given more.
	of int
	// noted is what came out last, for the explanation and to be learned:
	// the number that rel was given, or the most surprising value.
	given float64
	basis baseline.Basis
	noted baseline.Value
	seen  []baseline.Value
}

// feature is one column of the forest's rows.
type feature struct {
	name string
	*conf.Program
	from, to int // its measures
	// number is where the baseline keeps what is usual of it.
	number int
	// told is the measure that speaks for it in an explanation, if one does:
	// the outermost, of values or against the entity's past.
	told *measure
	// first is in how many findings it counted most, explained the sum of its parts
	// of them.
	first     uint64
	explained float64
}

// accumulates says whether a function needs an interval.
func accumulates(name string) bool {
	switch name {
	case fnSurprisal, fnNovelty, fnGap, fnRel, fnJump, fnTrail:
		return false
	}
	return true
}

// takeMeasures adds the calls of a feature to those of the model.
func (m *modeller) takeMeasures(x conf.Expression, calls []conf.Aggregate) {
	first := len(m.measures)
	for _, call := range calls {
		c := &measure{Aggregate: call, category: -1, number: -1, sum: -1, cell: -1, feature: len(m.features)}
		if c.of = call.Of(); c.of >= 0 {
			c.of += first
		}
		if why := m.place(c); why != "" {
			m.c.failed(x.ErrorfAt(call.At, "%s: %s", call.Text, why))
		}
		if c.cell >= 0 {
			c.told = m.share.of(c)
		}
		m.measures = append(m.measures, c)
	}
}

// answer is the number of a measure for what is being measured. What can't be
// told is missing: NaN.
func (m *modeller) answer(i int) float64 {
	c, o := m.measures[i], m.now
	switch {
	case o == nil:
		return math.NaN()
	case c.category >= 0:
		return m.unusual(c, o)
	case c.Name == fnGap:
		if gap, ok := o.e.Gap(o.at); ok {
			return math.Log10(max(gap.Seconds(), 1e-3))
		}
		return math.NaN()
	case c.sum >= 0:
		c.given = m.given(c, o)
		return m.base.Trail(o.e, c.sum, c.given, trailing)
	case c.number >= 0:
		c.given = m.given(c, o)
		ask := m.base.Lasting
		if c.Name == fnJump {
			ask = m.base.Jump
		}
		c.basis = m.basis(i, o)
		if z, ok := ask(o.e, c.number, c.given, c.basis, o.at); ok {
			return deviations * math.Asinh(z/deviations)
		}
		return math.NaN()
	}
	return o.cells[c.cell].value(c, m.d.Spec.Every.Std().Seconds())
}

// trailing is over about how many intervals trail sums.
const trailing = 30

// given is the number that a measure is given.
func (m *modeller) given(c *measure, o *observation) float64 {
	v, err := c.Args[0].Any(o.env)
	m.failed(err)
	return toNumber(v)
}

// deviations is up to which many of them a distance is told as it is; what is
// farther off is brought nearer, so that nothing makes all the rest look alike.
const deviations = 4

// few is of how many events a share or a quantile is half chance.
const few = 10

// basis says how far a number is to be trusted, by how many events the measures
// that it is made of are of: those before it in its feature. Of one that is a
// single count or share it says which.
func (m *modeller) basis(i int, o *observation) baseline.Basis {
	b, whole := baseline.Basis{Trust: 1}, m.measures[i].of
	for j := i - 1; j >= 0 && m.measures[j].feature == m.measures[i].feature; j-- {
		c := m.measures[j]
		var n float64
		switch c.Name {
		case "ratio":
			if n = o.cells[c.cell].of; j == whole {
				b.Of = n
			}
		case "avg":
			n = o.cells[c.cell].n
		case "quantile":
			if ranks := o.cells[c.cell].ranks; ranks != nil {
				n = float64(ranks.Count())
			}
		case "count", "distinct":
			b.Each = bitOf(j == whole)
			continue
		case "rate":
			b.Each = bitOf(j == whole) / m.d.Spec.Every.Std().Seconds()
			continue
		default:
			continue
		}
		b.Trust = min(b.Trust, n/(n+few))
	}
	return b
}

func bitOf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// unusual is how surprising, or new, the most unusual of the values is.
func (m *modeller) unusual(c *measure, o *observation) float64 {
	c.seen, c.noted = c.seen[:0], baseline.Value{}
	if c.cell >= 0 {
		for _, v := range o.cells[c.cell].values {
			c.seen = append(c.seen, v.Value)
		}
	} else if v, ok := m.valueOf(c.Args, o.env); ok {
		c.seen = append(c.seen, v)
	}
	worst := math.NaN()
	for _, v := range c.seen {
		if m.without != nil && m.without(c.category, v) {
			continue
		}
		var bits float64
		if c.Name == fnNovelty {
			bits = m.base.Novelty(o.e, c.category, v, o.at)
		} else {
			bits = m.base.Surprisal(o.e, c.category, v, o.at)
		}
		if !(bits <= worst) {
			worst, c.noted = bits, v
		}
	}
	return worst
}

// valueOf is the value of a category that arguments have together; false when
// all of them are empty.
func (m *modeller) valueOf(args []*conf.Program, e *event.Event) (baseline.Value, bool) {
	texts, some := make([]string, 0, 4), false
	for _, p := range args {
		text, err := p.Text(e)
		m.failed(err)
		some = some || text != ""
		texts = append(texts, text)
	}
	return baseline.ValueOf(texts...), some
}

func toNumber(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case bool:
		if v {
			return 1
		}
		return 0
	}
	return math.NaN()
}

// unit is how far beyond its usual values is far; 0 where the data have to tell.
func (f *feature) unit() float64 {
	if f.told == nil {
		return 0
	}
	switch f.told.Name {
	case fnSurprisal:
		return 8
	case fnRel, fnJump:
		return deviations
	case "ratio":
		return 0.25
	}
	return 1
}

// failed notes what could not be evaluated of the event at hand.
func (m *modeller) failed(err error) {
	if err != nil && m.trouble == nil {
		m.trouble = fmt.Errorf("model %s: %w", m.d.name, err)
	}
}
