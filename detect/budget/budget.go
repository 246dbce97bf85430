package budget

import (
	"errors"
	"math"
	"time"
)

// Options set up a [Budget]: one of PerDay, P and Contamination is set.
type Options struct {
	// PerDay is how many alerts a day there may be.
	PerDay float64
	// P is the share of scores that may be alerts.
	P float64
	// Contamination is the share of recent scores that counts as anomalous,
	// as in scikit-learn: a threshold that follows the scores, and no budget.
	Contamination float64
	// WithRules is how much smaller the p is that is needed when a rule matched
	// on the same entity: 10 means that a p ten times as large will do. 0 is
	// [DefaultWithRules].
	WithRules float64
	// Share is the most that one entity may have of the scores that others
	// are compared with, [DefaultShare] if 0.
	Share float64
	// Span is how far those reach back at least, [DefaultSpan] if 0.
	Span time.Duration
	// Floor is a score below which nothing is found.
	Floor float64
	// Clear is a score from which on something is found on credit, and if it is the
	// highest that is known, whatever its p; 0 means that it goes by p.
	Clear float64
}

// What Options leave open.
const (
	DefaultWithRules = 10
	DefaultShare     = 0.1
	DefaultSpan      = 3 * time.Hour
)

const (
	// gain is by how much an alert raises the threshold, in units of ln p.
	gain = 0.5
	// gainPerDay is that of alerts a day: who attacks with several identities at
	// once must not raise it out of the reach of the last.
	gainPerDay = 0.25
	// lowest is the largest p that is ever enough: no budget is so large that
	// the usual is an anomaly.
	lowest = 0.02
	// below and above are how far the threshold may go from what the budget
	// alone would say.
	below, above = 3.0, 6.0
	// rateOver is the time over which scores are counted.
	rateOver = 24 * time.Hour
	// perBefore is by how much each alert of an entity raises what it needs, up to so
	// many.
	perBefore, mostBefore = 1.4, 5
	// riseOver is the time in which most of what an alert raises is raised.
	riseOver = time.Hour
)

// Budget decides which scores are found. It is not safe for concurrent use.
type Budget struct {
	o      Options
	recent *recent
	need   float64 // minus the logarithm of the p that is needed
	armed  bool
	began  time.Time
	last   time.Time
	rate   float64 // scores in rateOver, forgotten by time
	tokens float64
	// spare are the tokens of newcomers, extra is by how much more they need, and
	// fresh how many of the scores of rate are theirs.
	spare, extra, fresh float64
	// rising and rises are by how much need and extra go on to rise.
	rising, rises float64
	verdict       verdicts
	count         Counts
}

// Counts are since the beginning.
type Counts struct {
	// Scores were judged, Found were found, Held would have been and were too
	// many, Helped were found because a rule matched.
	Scores, Found, Held, Helped uint64
	// True and False are verdicts.
	True, False uint64
}

// Decision is what becomes of a score.
type Decision struct {
	// P is the share of scores that are as high, Need the one that it has to
	// be at most.
	P, Need float64
	// Found says that it is an alert, Held that it would be one, had the budget
	// not been spent.
	Found, Held bool
}

// Circumstance is what is known beside a score.
type Circumstance struct {
	// Rule says that a rule matched on the entity a short time ago.
	Rule bool
	// Quiet says that nothing may be found: while warming up, or because it
	// was found just now.
	Quiet bool
	// Before is how many alerts of the entity nobody said anything of yet: each asks
	// for a p that is four times smaller. Alike is how many of these were for the same
	// reason: after two nothing more is found on credit.
	Before, Alike int
	// Highest says that no alert of which nobody said anything yet has a score as high.
	Highest bool
	// Newcomer says that the entity has not been there for long. Newcomers have a
	// bucket of their own and a threshold that only they raise: who invents any
	// number of them changes nothing for the others.
	Newcomer bool
}

// New makes a budget that has seen nothing.
func New(o Options) (*Budget, error) {
	set := 0
	for _, v := range []float64{o.PerDay, o.P, o.Contamination} {
		if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("a budget is a positive number")
		}
		if v > 0 {
			set++
		}
	}
	if set != 1 || o.P >= 0.5 || o.Contamination > 0.5 {
		return nil, errors.New("a budget is one of alerts a day, a probability below 0.5, and a contamination of up to 0.5")
	}
	if o.WithRules == 0 {
		o.WithRules = DefaultWithRules
	}
	if o.Share == 0 {
		o.Share = DefaultShare
	}
	if o.Span == 0 {
		o.Span = DefaultSpan
	}
	return &Budget{o: o, recent: newRecent(o.Span, o.Share)}, nil
}

// Judge decides about a score of an entity, and spends the budget. Times do not
// go back.
func (b *Budget) Judge(entity uint64, now time.Time, score float64, c Circumstance) Decision {
	b.pass(now, !c.Quiet, c.Newcomer)
	b.count.Scores++
	d := Decision{P: b.recent.p(score)}
	need := b.need
	if b.o.Contamination > 0 {
		need = -math.Log(b.o.Contamination)
	}
	if c.Newcomer && b.o.Contamination == 0 {
		need += b.extra
	}
	alone := need + b.verdict.of(entity, now) + perBefore*float64(min(c.Before, mostBefore))
	need = alone
	if c.Rule {
		need -= math.Log(max(1, b.o.WithRules))
	}
	d.Need = min(1, math.Exp(-need))
	y := -math.Log(d.P)
	if c.Quiet || !b.armed || score < b.o.Floor {
		return d
	}
	record := b.record(score, c)
	if y < need && !record {
		return d
	}
	if !b.take(b.lent(y-need, score, record, c), c.Newcomer) {
		b.count.Held++
		d.Held = true
		return d
	}
	b.count.Found++
	if c.Rule && y < alone {
		b.count.Helped++
	}
	switch {
	case b.o.Contamination > 0:
	case c.Newcomer:
		b.rises += b.gain()
	default:
		if b.o.PerDay > 0 {
			b.rising += b.gain()
		} else {
			b.need = b.clamp(b.need + b.gain())
		}
	}
	d.Found = true
	return d
}

// Learn makes a score one of those that others are compared with.
func (b *Budget) Learn(entity uint64, now time.Time, score float64) {
	if math.IsNaN(score) {
		return
	}
	high := b.armed && b.o.Contamination == 0 && -math.Log(b.recent.p(score)) >= b.need
	b.recent.add(entity, now, score, high)
}

// Forget takes a score out again: it was malicious.
func (b *Budget) Forget(entity uint64, score float64) {
	b.recent.body.drop(entity, score)
	b.recent.tail.drop(entity, score)
}

// P is the share of recent scores that are at least as high.
func (b *Budget) P(score float64) float64 { return b.recent.p(score) }

// Usual is the score that a share of recent ones is above.
func (b *Budget) Usual(share float64) float64 { return b.recent.score(share) }

// Threshold is the score that is about what an alert needs now.
func (b *Budget) Threshold() float64 {
	if b.o.Contamination > 0 {
		return b.recent.score(b.o.Contamination)
	}
	return b.recent.score(math.Exp(-b.need))
}

// Last is the time of the last score.
func (b *Budget) Last() time.Time { return b.last }

// Counts are what became of the scores.
func (b *Budget) Counts() Counts { return b.count }

// Need is the p that is needed now, without rules and verdicts.
func (b *Budget) Need() float64 { return b.NeedAfter(0) }

// NeedAfter is the p that an entity needs of which so many alerts nobody said
// anything of yet; see [Circumstance].
func (b *Budget) NeedAfter(alerts int) float64 {
	need := b.need
	if b.o.Contamination > 0 {
		need = -math.Log(b.o.Contamination)
	}
	return math.Exp(-need - perBefore*float64(min(alerts, mostBefore)))
}

// gain is by how much an alert raises the threshold.
func (b *Budget) gain() float64 {
	if b.o.PerDay > 0 {
		return gainPerDay
	}
	return gain
}
