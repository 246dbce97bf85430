package detect

import (
	"math"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// cell is what one measure has of an interval.
type cell struct {
	n, of          float64
	sum, low, high float64
	set            *sketch.Distinct
	ranks          *sketch.Quantiles
	values         []tallied
	// spilt are those that had no room among the values.
	spilt float64
}

// tallied is a value and how often it came.
type tallied struct {
	baseline.Value
	n float64
}

// maxCellValues is how many values of a category are told apart in an interval.
const maxCellValues = 64

// add takes an event that stands for so many: of says whether for what is
// measured, against whether for the denominator of a ratio.
func (m *modeller) add(cl *cell, c *measure, w weighed, of, against bool) {
	if c.Name == "ratio" {
		if (of || against) && m.holds(c.Args, 1, w.event) {
			if against {
				cl.of += w.times
			}
			if of && m.holds(c.Args, 0, w.event) {
				cl.n += w.times
			}
		}
		return
	}
	if !of {
		return
	}
	switch c.Name {
	case "count", "rate":
		if m.holds(c.Args, 0, w.event) {
			cl.n += w.times
		}
	case "sum", "avg", "min", "max":
		v, err := c.Args[0].Any(w.event)
		m.failed(err)
		cl.number(toNumber(v), w.times)
	case "quantile":
		v, err := c.Args[0].Any(w.event)
		m.failed(err)
		if x := toNumber(v); x > 0 || x == 0 && c.Args[0].Source() != argLatency {
			cl.ranked().Add(x)
		}
	case "distinct":
		m.addDistinct(cl, c, w.event)
	case "entropy", fnSurprisal, fnNovelty:
		if v, ok := m.valueOf(c.Args, w.event); ok {
			cl.count(v, w.times)
		}
	}
}

// holds says whether a condition is true of an event; one that is left out is.
func (m *modeller) holds(args []*conf.Program, i int, e *event.Event) bool {
	if i >= len(args) {
		return true
	}
	ok, err := args[i].Bool(e)
	m.failed(err)
	return ok
}

func (cl *cell) number(v, times float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) || times <= 0 {
		return
	}
	if cl.n == 0 {
		cl.low, cl.high = v, v
	}
	cl.n += times
	cl.sum += v * times
	cl.low, cl.high = min(cl.low, v), max(cl.high, v)
}

func (m *modeller) addDistinct(cl *cell, c *measure, e *event.Event) {
	var texts []string
	for _, p := range c.Args {
		text, err := p.Text(e)
		m.failed(err)
		texts = append(texts, text)
	}
	if strings.Join(texts, "") != "" {
		cl.different().Add(strings.Join(texts, "\x00"))
	}
}

func (cl *cell) count(v baseline.Value, times float64) {
	i := slices.IndexFunc(cl.values, func(o tallied) bool { return o.Hash == v.Hash })
	switch {
	case i >= 0:
		cl.values[i].n += times
	case len(cl.values) < maxCellValues:
		v.Text = strings.Clone(v.Text)
		cl.values = append(cl.values, tallied{v, times})
	default:
		cl.spilt += times
	}
}

// value is the number of a measure in an interval of so many seconds.
func (cl *cell) value(c *measure, seconds float64) float64 {
	switch c.Name {
	case "count":
		return cl.n
	case "rate":
		return cl.n / seconds
	case "sum":
		return cl.sum
	case "distinct":
		if cl.set == nil {
			return 0
		}
		return float64(cl.set.Count())
	case "ratio":
		return cl.n / missingIf(cl.of == 0, cl.of)
	case "avg":
		return cl.sum / missingIf(cl.n == 0, cl.n)
	case "min":
		return missingIf(cl.n == 0, cl.low)
	case "max":
		return missingIf(cl.n == 0, cl.high)
	case "quantile":
		if cl.ranks != nil {
			if v, ok := cl.ranks.At(c.q); ok {
				return v
			}
		}
		return math.NaN()
	}
	return cl.entropy()
}

func missingIf(missing bool, v float64) float64 {
	if missing {
		return math.NaN()
	}
	return v
}

// entropy is that of the values, in bits; those that had no room count as one
// each.
func (cl *cell) entropy() float64 {
	total := cl.spilt
	for _, v := range cl.values {
		total += v.n
	}
	if total == 0 {
		return math.NaN()
	}
	h := cl.spilt / total * math.Log2(total)
	for _, v := range cl.values {
		h -= v.n / total * math.Log2(v.n/total)
	}
	return h + 0 // never -0
}

const cellBytes = 120

func (cl *cell) bytes() int {
	n := cellBytes + 56*len(cl.values)
	if cl.set != nil {
		n += 64 + int(min(cl.set.Count(), sketch.MaxExact))*32 // #nosec G115 -- at most MaxExact
		if cl.set.Count() > sketch.MaxExact {
			n += 4096
		}
	}
	if cl.ranks != nil {
		n += 2048
	}
	return n
}

func (cl *cell) save(out *pack.Writer) {
	for _, v := range []float64{cl.n, cl.of, cl.sum, cl.low, cl.high, cl.spilt} {
		out.Float(v)
	}
	out.Bool(cl.set != nil)
	if cl.set != nil {
		b, _ := cl.set.AppendBinary(nil)
		out.Bytes(b)
	}
	out.Bool(cl.ranks != nil)
	if cl.ranks != nil {
		b, _ := cl.ranks.AppendBinary(nil)
		out.Bytes(b)
	}
	out.Len(len(cl.values))
	for _, v := range cl.values {
		out.Uint(v.Hash)
		out.Text(v.Text)
		out.Float(v.n)
	}
}

func (cl *cell) load(in *pack.Reader) {
	for _, v := range []*float64{&cl.n, &cl.of, &cl.sum, &cl.low, &cl.high, &cl.spilt} {
		*v = in.Float()
	}
	if in.Bool() {
		if cl.set = new(sketch.Distinct); cl.set.UnmarshalBinary(in.Bytes()) != nil {
			in.Fail()
		}
	}
	if in.Bool() {
		if cl.ranks = new(sketch.Quantiles); cl.ranks.UnmarshalBinary(in.Bytes()) != nil {
			in.Fail()
		}
	}
	for range in.Count(maxCellValues) {
		cl.values = append(cl.values, tallied{baseline.Value{Hash: in.Uint(), Text: in.Text()}, in.Float()})
	}
}
