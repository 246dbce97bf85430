package budget

import (
	"math"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// How many recent scores there are: of all, and of the highest of them.
const (
	bodySize = 1024
	tailSize = 512
	// tailFrom is the share of all scores below those of the tail.
	tailFrom = 0.95
	// beyond is the share of the tail below the part that is taken to be
	// exponential; with fewer than fewest there is no tail to speak of.
	beyond = 0.75
	fewest = 32
	// finest is the least mean excess: scores nearer than that are the same.
	finest = 0.002
)

// recent is the scores that a new one is compared with. Those of the tail are
// kept as what they were above the rest at their time: they are fewer and reach
// back further, and when all scores rise and fall with the hours it is the body
// that follows.
type recent struct {
	body, tail *set
	span       time.Duration // how far back it reaches, at least
	thin       float64       // one of how many scores is kept
	seen       uint64
	kept       int // since thin was set
}

func newRecent(span time.Duration, share float64) *recent {
	return &recent{body: newSet(bodySize, share), tail: newSet(tailSize, share), span: span, thin: 1}
}

// add takes a score. When they come so fast that the set would reach back for
// too short a time, only some are kept, which ones nobody can tell beforehand
// from outside.
func (r *recent) add(entity uint64, now time.Time, score float64, high bool) {
	r.seen++
	if float64(mix(r.seen)>>11)/(1<<53)*r.thin >= 1 {
		return
	}
	it := item{score, score, entity, now.UnixNano(), high}
	if from := r.body.at(tailFrom); len(r.body.sorted) >= fewest && score >= from {
		above := it
		above.score -= from
		r.tail.add(above)
	}
	r.body.add(it)
	if r.kept++; r.kept >= bodySize/4 {
		r.kept = 0
		if r.body.full() {
			r.rethin()
		}
	}
}

func (r *recent) rethin() {
	items := r.body.items
	span := float64(items[len(items)-1].time - items[0].time)
	r.thin = max(1, r.thin*min(2, max(0.5, float64(r.span)/max(span, 1))))
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// p is the share of scores that are at least as high, never 0.
func (r *recent) p(score float64) float64 {
	n := float64(len(r.body.sorted))
	p := (1 + float64(r.body.atLeast(score))) / (n + 1)
	from := r.body.at(tailFrom)
	above := float64(len(r.tail.sorted))
	if score < from || above < fewest {
		return r.extend(r.body, p, n, 1, score)
	}
	base := (1 + float64(r.body.atLeast(from))) / (n + 1)
	p = base * (1 + float64(r.tail.atLeast(score-from))) / (above + 1)
	return r.extend(r.tail, p, above, base, score-from)
}

// highest says whether a score is above all that are known, of which there are
// enough: above what those of the tail were, and not what they would be now. In the
// first minutes the rest is low, and what was far above it then says little.
func (r *recent) highest(score float64) bool {
	return len(r.body.sorted) >= bodySize/8 && r.body.below(score) && r.tail.below(score)
}

// extend is p beyond the scores that a set is sure of.
func (r *recent) extend(s *set, p, n, base, score float64) float64 {
	if len(s.sorted) < fewest {
		return p
	}
	high := s.at(beyond)
	if score <= high {
		return p
	}
	atHigh := base * (1 + float64(s.atLeast(high))) / (n + 1)
	k := s.sources(high)
	return max(atHigh*math.Exp(-k*math.Log1p((score-high)/max(finest, s.excess(high))/k)), least)
}

// least is the smallest p that is told.
const least = 1e-12

// score is the one of which a share is higher.
func (r *recent) score(p float64) float64 { return r.body.at(1 - p) }

func (r *recent) save(out *pack.Writer) {
	r.body.save(out)
	r.tail.save(out)
	out.Float(r.thin)
	out.Uint(r.seen)
	out.Len(r.kept)
}

func (r *recent) load(in *pack.Reader) {
	r.body.load(in)
	r.tail.load(in)
	r.thin, r.seen, r.kept = in.Float(), in.Uint(), in.Len(bodySize)
	if !(r.thin >= 1) {
		in.Fail()
	}
}
