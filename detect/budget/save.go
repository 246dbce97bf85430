package budget

import (
	"errors"
	"math"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// Save writes all that is remembered.
func (b *Budget) Save(out *pack.Writer) {
	b.recent.save(out)
	b.verdict.save(out)
	out.Bool(b.armed)
	saveTime(out, b.began)
	saveTime(out, b.last)
	for _, v := range []float64{b.need, b.rate, b.tokens, b.spare, b.extra, b.fresh, b.rising, b.rises} {
		out.Float(v)
	}
	for _, n := range b.counters() {
		out.Uint(*n)
	}
}

// Load reads what Save wrote, into a budget that has seen nothing and has the
// same options.
func (b *Budget) Load(in *pack.Reader) error {
	b.recent.load(in)
	b.verdict.load(in)
	b.armed = in.Bool()
	b.began, b.last = loadTime(in), loadTime(in)
	for _, v := range []*float64{&b.need, &b.rate, &b.tokens, &b.spare, &b.extra, &b.fresh, &b.rising, &b.rises} {
		if *v = in.Float(); math.IsNaN(*v) || math.IsInf(*v, 0) {
			return errors.New("load budget: a number is none")
		}
	}
	for _, n := range b.counters() {
		*n = in.Uint()
	}
	return in.Err()
}

func (b *Budget) counters() []*uint64 {
	c := &b.count
	return []*uint64{&c.Scores, &c.Found, &c.Held, &c.Helped, &c.True, &c.False}
}

func saveTime(out *pack.Writer, t time.Time) {
	out.Bool(!t.IsZero())
	if !t.IsZero() {
		out.Int(t.UnixNano())
	}
}

func loadTime(in *pack.Reader) time.Time {
	if !in.Bool() {
		return time.Time{}
	}
	return time.Unix(0, in.Int()).UTC()
}
