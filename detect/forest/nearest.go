package forest

import "slices"

// nearest is the most alike of the examples that are normal: the one with the
// least sum of differences, each in spans of its feature.
func (g *grove) nearest(row []float64, normal float64, examples []float64) []float64 {
	scores := g.ScoreAll(nil, examples)
	whole := make([]float64, g.dims)
	best, least := -1, 0.0
	for i, score := range scores {
		if score > normal {
			continue
		}
		far := g.far(row, g.mend(whole, examples[i*g.dims:(i+1)*g.dims]))
		if best < 0 || far < least {
			best, least = i, far
		}
	}
	if best < 0 {
		return nil
	}
	return slices.Clone(examples[best*g.dims : (best+1)*g.dims])
}

func (g *grove) far(a, b []float64) float64 {
	var sum float64
	for f := range a {
		sum += float64(max(a[f]-b[f], b[f]-a[f]) * g.rate[f])
	}
	return sum
}

// tries is how many sets of changes are tried at most before the features are
// taken one after the other.
const tries = 512

// counterfactual looks for the smallest set of features that makes the row
// normal when each is set to its usual value: among all single ones, pairs and
// triples of those that contribute most, as far as the tries go; else it takes
// one after the other of those, whichever helps most, and leaves out again what
// was not needed.
func (g *grove) counterfactual(row []float64, normal float64, order []Contribution) ([]Change, float64) {
	left := tries
	for size := 1; size <= 3; size++ {
		set, score := g.smallest(row, order, size, &left)
		if score <= normal {
			return g.changes(row, set), score
		}
	}
	set, score := g.greedy(row, normal, order[:min(len(order), candidates)])
	if score > normal || len(set) == g.dims {
		return nil, g.Score(row)
	}
	return g.changes(row, set), score
}

// smallest tries sets of so many features and gives the one after which the
// score is least.
func (g *grove) smallest(row []float64, order []Contribution, size int, left *int) ([]int, float64) {
	best, least := []int(nil), 2.0
	changed := slices.Clone(row)
	var try func(from int, set []int)
	try = func(from int, set []int) {
		if len(set) == size {
			if *left > 0 {
				*left--
				if score := g.Score(changed); score < least {
					best, least = slices.Clone(set), score
				}
			}
			return
		}
		for i := from; i < len(order) && *left > 0; i++ {
			f := order[i].Feature
			changed[f] = g.fill[f]
			try(i+1, append(set, f))
			changed[f] = row[f]
		}
	}
	try(0, nil)
	return best, least
}

// candidates is how many features are taken one after the other at most.
const candidates = 64

func (g *grove) greedy(row []float64, normal float64, order []Contribution) (set []int, score float64) {
	changed := slices.Clone(row)
	for score = 2; score > normal && len(set) < len(order); {
		best, least := -1, 2.0
		for _, c := range order {
			f := c.Feature
			if slices.Contains(set, f) {
				continue
			}
			was := changed[f]
			changed[f] = g.fill[f]
			if s := g.Score(changed); s < least {
				best, least = f, s
			}
			changed[f] = was
		}
		changed[best], score = g.fill[best], least
		set = append(set, best)
	}
	set = slices.DeleteFunc(set, func(f int) bool {
		changed[f] = row[f]
		if s := g.Score(changed); s <= normal {
			score = s
			return true
		}
		changed[f] = g.fill[f]
		return false
	})
	return set, score
}

func (g *grove) changes(row []float64, set []int) []Change {
	changes := make([]Change, len(set))
	for i, f := range set {
		changes[i] = Change{Feature: f, From: row[f], To: g.fill[f]}
	}
	return changes
}
