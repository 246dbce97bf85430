package forest

import (
	"math"
	"slices"
)

// Each refreshRows rows that were taken, what is known of features is brought
// up to what is remembered.
const refreshRows = 1024

// refresh takes medians and spans from the reservoir anew. The box shrinks
// towards what is remembered as fast as rows are forgotten.
func (r *Rolling) refresh() {
	if r.taken%refreshRows != 0 {
		return
	}
	keep := 1.0
	if r.pool.memory > 0 {
		keep = power(-max(0, float64(r.pool.last-r.refreshed)/1e9/r.pool.memory) / math.Ln2)
	}
	r.refreshed = r.pool.last
	low, high := slices.Clone(r.low), slices.Clone(r.high)
	r.reset()
	for f := range low {
		if !r.known[f] {
			continue
		}
		r.widen(f, r.low[f]+float64(math.Min(0, low[f]-r.low[f])*keep), r.high[f]+float64(math.Max(0, high[f]-r.high[f])*keep))
	}
}

// reset takes all that is known of features from the reservoir alone.
func (r *Rolling) reset() {
	clear(r.known)
	r.learn(r.pool.x, r.room)
}
