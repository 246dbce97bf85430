package forest

import "math"

// probes are rows that are scored again and again, to see whether the forest
// has moved.
type probes struct {
	rows   []float64
	scores []float64
}

// probeRows is how many there are: half of them rows that were learned, a
// quarter rows mixed of several, a quarter rows with one feature at or beyond
// the end of its box. So it shows too when what was strange becomes usual.
const probeRows = 64

func (p *probes) take(g *grove, r *reservoir) {
	p.rows, p.scores = p.rows[:0], nil
	state := uint64(len(r.slots))
	next := func(n int) int {
		state = mix(state)
		return int(state % uint64(n))
	}
	for i := range probeRows {
		from := len(p.rows)
		p.rows = append(p.rows, r.row(next(len(r.slots)))...)
		row := p.rows[from:]
		switch {
		case i >= probeRows*3/4:
			f := next(g.dims)
			row[f] = g.high[f] + float64(float64(i&1)*(0.5/max(g.rate[f], 1/largest)))
		case i >= probeRows/2:
			for f := range row {
				row[f] = r.row(next(len(r.slots)))[f]
			}
		}
	}
	p.scores = g.ScoreAll(nil, p.rows)
}

func (p *probes) moved(g *grove) float64 {
	if len(p.scores) == 0 {
		return 0
	}
	var sum float64
	for i, now := range g.ScoreAll(nil, p.rows) {
		sum += math.Abs(now - p.scores[i])
	}
	return sum / float64(len(p.scores))
}
