package baseline

import (
	"math"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// sum is what numbers of an entity come to, the older each is the less, and
// weight what as many ones would come to.
type sum struct{ total, weight float64 }

const sumBytes = 16

// most bounds a sum, so that no number makes it endless.
const most = 1e300

// Trail is the sum of about so many of an entity's last numbers, this one with
// them, the older each the less: by a factor of e over as many. Of an entity that
// has had fewer it is as if it had had such numbers before. It goes by numbers,
// not by time, so that a gap in what comes changes nothing. Nothing is remembered
// of the number before [Store.Follow].
func (s *Store) Trail(e *Entity, i int, x, over float64) float64 {
	q := e.sums[i].with(x, over)
	return min(most, q.total/q.weight/-math.Expm1(-1/over))
}

// Follow adds a number to the sum that [Store.Trail] gives.
func (s *Store) Follow(e *Entity, i int, x, over float64) { e.sums[i] = e.sums[i].with(x, over) }

func (s sum) with(x, over float64) sum {
	keep := math.Exp(-1 / over)
	return sum{min(most, s.total*keep+known(x)), s.weight*keep + 1}
}

// known is the number, or 0 where there is none.
func known(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return max(-most, min(most, x))
}

func (s *sum) save(out *pack.Writer) {
	out.Float(s.total)
	out.Float(s.weight)
}

func (s *sum) load(in *pack.Reader) {
	s.total, s.weight = finite(in), finite(in)
	if s.weight < 0 {
		in.Fail()
	}
}
