package forest

import "math"

// invented are labelled sets that are made here, so that what is measured over
// tables is measured where there are none, too. They are of different kinds, and
// nothing is tuned to them.
func invented() []*table {
	const rows = 2500
	return []*table{
		drawn("own-clusters", rows, 4, 0.03, func(d *drawing, odd bool) {
			centre := float64(3 * (d.below(3) - 1))
			for f := range d.row {
				d.row[f] = centre*float64(1-2*(f%2)) + d.normal()
				if odd {
					d.row[f] = 14*d.even() - 7
				}
			}
		}),
		drawn("own-tails", rows, 5, 0.02, func(d *drawing, odd bool) {
			for f := range d.row {
				d.row[f] = math.Exp(1.2 * d.normal())
			}
			if odd {
				d.row[d.below(5)] += 25
				d.row[d.below(5)] += 25
			}
		}),
		drawn("own-flags", rows, 8, 0.02, func(d *drawing, odd bool) {
			for f := range d.row {
				if d.row[f] = d.normal(); f > 4 {
					d.row[f] = bitOf(d.even() < 0.001)
				}
			}
			if odd {
				d.row[5+d.below(3)] = 1
				d.row[d.below(5)] += 2
			}
		}),
		drawn("own-masked", rows, 4, 0.06, func(d *drawing, odd bool) {
			side := float64(2*d.below(2) - 1)
			for f := range d.row {
				if d.row[f] = d.normal(); odd {
					d.row[f] = 3.2*side + 0.3*d.row[f]
				}
			}
		}),
		drawn("own-scales", rows, 6, 0.04, func(d *drawing, odd bool) {
			common := d.normal()
			for f := range d.row {
				d.row[f] = math.Pow(1000, float64(f%3-1)) * (common + 0.5*d.normal())
				if odd && f%2 == 0 {
					d.row[f] = math.Pow(1000, float64(f%3-1)) * 2.5 * d.normal()
				}
			}
		}),
	}
}

type drawing struct {
	state uint64
	row   []float64
}

func (d *drawing) normal() float64 { return normal(&d.state) }
func (d *drawing) even() float64   { d.state = mix(d.state); return unit(d.state) }
func (d *drawing) below(n int) int { return int(d.even() * float64(n)) }

func bitOf(b bool) float64 { return float64(bit(b)) }

// drawn makes a set row by row, a share of them anomalies.
func drawn(name string, rows, dims int, share float64, fill func(d *drawing, odd bool)) *table {
	set := &table{name: name, dims: dims}
	d := &drawing{state: mix(uint64(len(name)) + uint64(dims)<<8)}
	for range rows {
		odd := d.even() < share
		d.row = make([]float64, dims)
		fill(d, odd)
		set.x, set.anomaly = append(set.x, d.row...), append(set.anomaly, odd)
	}
	return set
}
