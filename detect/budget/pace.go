package budget

import (
	"math"
	"time"
)

// clear is how far beyond what is needed, in units of ln p, a score is found
// although the bucket is empty, on credit: who spends the budget on small things
// does not hide a large one. The credit is half a day's.
const clear = 2.0

// clear says whether a score is found on credit.
func (b *Budget) clear(beyond, score float64) bool {
	if b.o.Clear > 0 {
		return score >= b.o.Clear
	}
	return beyond > clear
}

// record says whether a score is found because it is clear and higher than all that
// are known, though those are too few to say how rare that is. Of n scores that
// differ by chance alone the next is the highest once in n + 1 times: in the first
// day that is a handful of times, and the less often the more are known, so that
// p decides in the end. It is for what nothing was found of before, or nothing of
// anybody that was as high.
func (b *Budget) record(score float64, c Circumstance) bool {
	return b.o.Clear > 0 && score >= b.o.Clear && (c.Before == 0 || c.Highest) && b.recent.highest(score)
}

// reserve is how many alerts there may be beyond all credit, each higher than all
// before: an attack that is the oddest of all is told after any number of small
// things.
const reserve = 2

// lent is how many alerts a score may be found on credit.
func (b *Budget) lent(beyond, score float64, record bool, c Circumstance) float64 {
	switch {
	case record && c.Highest && !c.Newcomer:
		return b.credit() + reserve
	case c.Alike >= 2 || !b.clear(beyond, score):
		return 0
	case c.Newcomer:
		return 2
	}
	return b.credit()
}

// refill is how fast the bucket fills, as a multiple of the budget. A little
// faster: what it holds back by chance is spent later.
const refill = 1.05

// young is by how much of that it fills slower at first: who was just begun knows
// least, and on the first day everything comes for the first time.
const young = 0.5

// fill is how fast the bucket fills now.
func (b *Budget) fill() float64 {
	if b.o.PerDay == 0 {
		return refill
	}
	return refill * (1 - young*math.Exp(-float64(b.last.Sub(b.began))/float64(rateOver)))
}

// pass moves the time to now, and the threshold and the tokens with it.
func (b *Budget) pass(now time.Time, armed, newcomer bool) {
	if b.began.IsZero() {
		b.began, b.last = now, now
	}
	took := max(0, now.Sub(b.last))
	b.last = b.last.Add(took)
	b.scored(math.Exp(-float64(took)/float64(rateOver)), newcomer)
	if !armed {
		return
	}
	if !b.armed {
		b.armed = true
		b.tokens, b.spare = 1, 0
		b.need = b.usual()
	}
	spend := b.o.P
	if b.o.PerDay > 0 {
		spend = b.perDay() * took.Hours() / 24
	}
	up := b.rising * (1 - math.Exp(-float64(took)/float64(riseOver)))
	b.rising -= up
	b.need = b.clamp(b.need + up - b.gain()*spend)
	b.tokens = min(b.room(), b.tokens+b.fill()*spend)
	up = b.rises * (1 - math.Exp(-float64(took)/float64(riseOver)))
	b.rises -= up
	b.extra = min(above, max(0, b.extra+up-b.gain()*spend/newcomers))
	b.spare = min(b.room()/2, b.spare+b.fill()*spend/newcomers)
}

// newcomers is by how much slower the bucket of newcomers fills.
const newcomers = 8

// scored counts a score, of newcomers as many as of others, so that nobody who
// invents them says how many there are.
func (b *Budget) scored(keep float64, newcomer bool) {
	b.rate, b.fresh = b.rate*keep, b.fresh*keep
	switch {
	case !newcomer:
		b.rate++
	case b.fresh <= b.rate-b.fresh:
		b.rate, b.fresh = b.rate+1, b.fresh+1
	}
}

// perDay is the budget, less what verdicts say is wasted.
func (b *Budget) perDay() float64 { return b.o.PerDay * b.verdict.worth() }

// usual is what the budget would need if scores stayed as they are.
func (b *Budget) usual() float64 {
	share := b.o.P
	if b.o.PerDay > 0 {
		share = b.perDay() / b.scores()
	}
	return -math.Log(min(lowest, share))
}

// scores is how many there are in a day.
func (b *Budget) scores() float64 {
	// Of a time that is shorter than rateOver not all could be counted yet.
	lived := 1 - math.Exp(-float64(b.last.Sub(b.began))/float64(rateOver))
	return max(1, b.rate/max(lived, 1e-3))
}

func (b *Budget) clamp(need float64) float64 {
	usual := b.usual()
	return min(usual+above, max(need, usual-below, -math.Log(lowest)))
}

// room is how many alerts there may be at once: those of a day, since who attacks
// does so with several identities at once, or, of a probability, those of so many
// scores that a burst by chance fits.
func (b *Budget) room() float64 {
	if b.o.PerDay > 0 {
		return max(2, b.o.PerDay)
	}
	return 10
}

// credit is how many more there may be that are clear.
func (b *Budget) credit() float64 {
	if b.o.PerDay > 0 {
		return max(2, b.o.PerDay)
	}
	return b.room()
}

// take spends one alert, if there is one left, or so many are lent.
func (b *Budget) take(lent float64, newcomer bool) bool {
	if b.o.Contamination > 0 {
		return true
	}
	from := &b.tokens
	if newcomer {
		from = &b.spare
	}
	if *from < 1-lent {
		return false
	}
	*from--
	return true
}
