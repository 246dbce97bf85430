package budget

import (
	"slices"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// set keeps the scores that came last, in order of time and of size.
type set struct {
	most, share int
	items       []item
	sorted      []float64
	held        map[uint64]int
}

// item is one score.
type item struct {
	score  float64 // by which it is ordered
	raw    float64
	entity uint64
	time   int64
	// high says that it would have been an alert.
	high bool
}

// mostHigh is how many scores of one entity that would be alerts are kept: who
// is odd for long is not what others are compared with.
const mostHigh = 2

func newSet(most int, share float64) *set {
	return &set{most: most, share: max(1, int(share*float64(most))), held: map[uint64]int{}}
}

// add takes a score. Who has his share already gives up his oldest for it; else
// the oldest of all goes when the set is full.
func (s *set) add(it item) {
	if it.high && s.highOf(it.entity) >= mostHigh {
		s.remove(slices.IndexFunc(s.items, func(o item) bool { return o.high && o.entity == it.entity }))
		s.insert(it)
		return
	}
	switch {
	case s.held[it.entity] >= s.share:
		s.remove(slices.IndexFunc(s.items, func(o item) bool { return o.entity == it.entity }))
	case len(s.items) >= s.most:
		s.remove(0)
	}
	s.insert(it)
}

func (s *set) highOf(entity uint64) (n int) {
	if s.held[entity] < mostHigh {
		return 0
	}
	for _, it := range s.items {
		if it.high && it.entity == entity {
			n++
		}
	}
	return n
}

func (s *set) insert(it item) {
	s.items = append(s.items, it)
	at, _ := slices.BinarySearch(s.sorted, it.score)
	s.sorted = slices.Insert(s.sorted, at, it.score)
	s.held[it.entity]++
}

func (s *set) remove(i int) {
	it := s.items[i]
	s.items = slices.Delete(s.items, i, i+1)
	at, _ := slices.BinarySearch(s.sorted, it.score)
	s.sorted = slices.Delete(s.sorted, at, at+1)
	if s.held[it.entity]--; s.held[it.entity] == 0 {
		delete(s.held, it.entity)
	}
}

// full says that a new score takes the place of another.
func (s *set) full() bool {
	return len(s.items) >= s.most || len(s.items) >= s.share*len(s.held)
}

// drop takes out one score of somebody, if it is there.
func (s *set) drop(entity uint64, score float64) {
	if i := slices.IndexFunc(s.items, func(o item) bool { return o.entity == entity && o.raw == score }); i >= 0 {
		s.remove(i)
	}
}

// atLeast is how many are as high as a score.
func (s *set) atLeast(score float64) int {
	at, _ := slices.BinarySearch(s.sorted, score)
	return len(s.sorted) - at
}

// below says whether all were below a score, at their time.
func (s *set) below(score float64) bool {
	return !slices.ContainsFunc(s.items, func(it item) bool { return it.raw >= score })
}

// at is the score below which a share of all is.
func (s *set) at(share float64) float64 {
	if len(s.sorted) == 0 {
		return 0
	}
	return s.sorted[min(len(s.sorted)-1, int(share*float64(len(s.sorted))))]
}

// excess is by how much those above a score are above it, on average.
func (s *set) excess(score float64) float64 {
	at, _ := slices.BinarySearch(s.sorted, score)
	var sum float64
	for _, v := range s.sorted[at:] {
		sum += v - score
	}
	return sum / float64(max(1, len(s.sorted)-at))
}

// sources is how many entities those above a score are of, at least 1.
func (s *set) sources(score float64) float64 {
	seen := make(map[uint64]bool, len(s.held))
	for _, it := range s.items {
		if it.score > score {
			seen[it.entity] = true
		}
	}
	return float64(max(1, len(seen)))
}

func (s *set) save(out *pack.Writer) {
	out.Len(len(s.items))
	for _, it := range s.items {
		out.Float(it.score)
		out.Float(it.raw)
		out.Uint(it.entity)
		out.Int(it.time)
		out.Bool(it.high)
	}
}

func (s *set) load(in *pack.Reader) {
	n := in.Count(s.most)
	for range n {
		it := item{in.Float(), in.Float(), in.Uint(), in.Int(), in.Bool()}
		if it.score != it.score {
			in.Fail()
		}
		if in.Err() == nil {
			s.insert(it)
		}
	}
}
