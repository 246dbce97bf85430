package forest

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Learning says how a Rolling learns. The zero value means what is usual.
type Learning struct {
	// Reservoir is how many rows it remembers: 2,048 when 0, at most 65,536.
	Reservoir int
	// Every is how many rows it takes into the reservoir before it makes one tree
	// anew: 64 when 0.
	Every int
	// Memory is how fast it forgets: a row is e times less likely to be
	// remembered than one that is this much younger. When 0 it forgets nothing by
	// time, and the reservoir is an even sample of all rows.
	Memory time.Duration
	// Share is how much of the reservoir one principal may fill: 0.02 when 0. With
	// so few principals that this leaves room, each gets an equal part.
	Share float64
	// Anchors is how many of the trees change only by Approve, from its first call
	// on; before that nobody has approved anything, and they are made anew as the
	// others. A tenth when 0, None for none.
	Anchors int
	// Quarantine is how many rows wait there at most: 512 when 0.
	Quarantine int
	// WarmUp is how many rows it has to take before it is Ready: Sample when 0.
	WarmUp int
}

// Rolling is a forest that learns from a stream. It remembers a bounded, random
// part of the rows, the younger the likelier, and makes its trees anew from
// them, one at a time. The same rows in the same order leave the same state. Not
// safe for concurrent use.
type Rolling struct {
	grove
	o Options
	l Learning
	quarantine
	pool   reservoir
	probes probes
	b      *builder
	// taken counts rows that came into the reservoir, made trees, and grown is of
	// how many rows the reservoir was when all trees were last made at once.
	taken, made uint64
	grown       int
	refreshed   int64
	anchored    bool
	picked      []int
	room        []float64
}

// NewRolling makes a forest for rows of dims numbers. Options.Contamination
// is of no meaning here. The error wraps ErrOptions.
func NewRolling(dims int, o Options, l Learning) (*Rolling, error) {
	if err := o.complete(dims); err != nil {
		return nil, err
	}
	if err := l.complete(&o); err != nil {
		return nil, err
	}
	r := &Rolling{
		grove: newGrove(dims, o), o: o, l: l, b: newBuilder(dims, o.Sample, o.Depth),
		room: make([]float64, 0, l.Reservoir),
	}
	r.pool = newReservoir(dims, l)
	r.quarantine = newQuarantine(l.Quarantine)
	r.of(o.Sample)
	r.trust()
	r.clear()
	return r, nil
}

func (l *Learning) complete(o *Options) error {
	usual(&l.Reservoir, 2048)
	usual(&l.Every, 64)
	usual(&l.Quarantine, 512)
	usual(&l.WarmUp, o.Sample)
	usual(&l.Anchors, o.Trees/10)
	l.Anchors = max(l.Anchors, 0)
	if l.Share == 0 {
		l.Share = 0.02
	}
	switch {
	case l.Reservoir < o.Sample || l.Reservoir > MaxReservoir:
		return fmt.Errorf("%w: a reservoir of %d rows, it may be of %d (the sample) to %d", ErrOptions, l.Reservoir, o.Sample, MaxReservoir)
	case l.Every < 1 || l.Quarantine < 1 || l.Quarantine > 1<<16 || l.Memory < 0:
		return fmt.Errorf("%w: a tree every %d rows, %d rows in quarantine, memory %s", ErrOptions, l.Every, l.Quarantine, l.Memory)
	case l.WarmUp < 2 || l.WarmUp > l.Reservoir:
		return fmt.Errorf("%w: a warm-up of %d rows, it may be of 2 to %d (the reservoir)", ErrOptions, l.WarmUp, l.Reservoir)
	case l.Anchors > o.Trees:
		return fmt.Errorf("%w: %d anchors of %d trees", ErrOptions, l.Anchors, o.Trees)
	case !(l.Share > 0 && l.Share <= 1):
		return fmt.Errorf("%w: share %v of a principal, it may be up to 1", ErrOptions, l.Share)
	}
	return nil
}

// Ready says whether it has seen enough to be believed, and how many rows are
// still missing. Before that scores mean little; before the first rows they are
// 0.5.
func (r *Rolling) Ready() (ready bool, missing int) {
	missing = max(0, r.l.WarmUp-len(r.pool.slots))
	return missing == 0 && r.taken >= uint64(r.l.WarmUp), missing
}

// Add learns a row of Dims numbers that came at this time from a principal, 0
// when nobody in particular. Score it first, and Hold it instead if it was a
// finding. Times should not go backwards by much; what is older is less likely
// to be remembered.
func (r *Rolling) Add(row []float64, principal uint64, at time.Time) {
	if len(row) != r.dims {
		panic(ErrShape)
	}
	slot, capped := r.pool.offer(row, principal, at, r.o.Seed)
	if !capped && r.grown > 0 {
		r.see(row)
	}
	if slot < 0 {
		return
	}
	r.taken++
	r.trust()
	r.grow()
}

// trust believes the box as far as what is remembered has been filled.
func (r *Rolling) trust() { r.beyond = trusted(r.o.Beyond, int(min(r.taken, uint64(r.l.Reservoir)))) }

// see widens the box by a row, and nothing else.
func (r *Rolling) see(row []float64) {
	for f, v := range row {
		if v < r.low[f] || v > r.high[f] || (!r.known[f] && v == v) {
			v = clamp(v)
			if r.given[f] && r.known[f] {
				// One alone is not the new usual.
				near := max(r.low[f], min(r.high[f], v))
				v = near + float64((v-near)/edge)
			}
			r.widen(f, v, v)
		}
	}
}

// grow makes trees: all of them each time the young reservoir has doubled and
// when it is full, then one after each Every rows, the anchors left out.
func (r *Rolling) grow() {
	n := len(r.pool.slots)
	switch {
	case n >= 2*r.grown && n >= 16 || n == r.l.Reservoir && r.grown < n:
		r.growAll(r.anchors())
		r.grown = n
		if n == r.l.Reservoir {
			r.probes.take(&r.grove, &r.pool)
		}
	case r.grown > 0 && r.taken%uint64(r.l.Every) == 0:
		if rolling := r.count - r.anchors(); rolling > 0 {
			r.make(r.anchors() + int(r.made%uint64(rolling)))
		}
		r.pool.weigh()
		r.refresh()
	}
}

// anchors is how many trees stand still.
func (r *Rolling) anchors() int {
	if r.anchored {
		return r.l.Anchors
	}
	return 0
}

func (r *Rolling) growAll(from int) {
	if !r.anchored {
		r.of(min(r.o.Sample, len(r.pool.slots)))
	}
	r.learn(r.pool.x, r.room)
	for t := from; t < r.count; t++ {
		r.make(t)
	}
}

// make makes tree t anew.
func (r *Rolling) make(t int) {
	var rng rand.PCG
	rng.Seed(r.o.Seed, mix(r.made))
	r.picked = pick(r.picked, len(r.pool.slots), min(r.psi, len(r.pool.slots)), &rng)
	r.b.build(r.pool.x, r.picked, &r.profile, rng.Uint64(), r.made, r.tree(t))
	r.made++
}

// Purge forgets what a principal taught since then, and makes all trees but the
// anchors anew: it turned out to be an attacker. It gives the number of rows
// that were forgotten. Approve makes the anchors anew too.
func (r *Rolling) Purge(principal uint64, since time.Time) int {
	n := r.pool.purge(principal, since.UnixNano())
	if n > 0 && len(r.pool.slots) >= 2 {
		r.reset()
		r.growAll(r.anchors())
	}
	return n
}

// Stats are figures to watch.
type Stats struct {
	// Rows is how many are remembered, Principals how many have some of them.
	Rows, Principals int
	// Offered is how many rows came, Taken how many were remembered at first,
	// Capped how many came of a principal that had all its room.
	Offered, Taken, Capped uint64
	// Trees is how many trees were made.
	Trees uint64
}

// Stats are figures to watch.
func (r *Rolling) Stats() Stats {
	return Stats{len(r.pool.slots), len(r.pool.owners), r.pool.offered, r.taken, r.pool.capped, r.made}
}

// Approve says that what is remembered now is normal: it makes the anchors from
// it, which then stand still, and takes a new set of probes, with which Moved
// compares. It says whether it did: not before as many rows are remembered as a
// tree is made of.
func (r *Rolling) Approve() bool {
	if len(r.pool.slots) < r.o.Sample || r.psi < r.o.Sample {
		return false
	}
	for t := range r.l.Anchors {
		r.make(t)
	}
	r.anchored = r.l.Anchors > 0
	r.probes.take(&r.grove, &r.pool)
	return true
}

// Moved says how far the scores of a fixed set of probes have moved since the
// last Approve, or since the first full reservoir: the mean absolute difference.
// 0 before that.
func (r *Rolling) Moved() float64 { return r.probes.moved(&r.grove) }

// clear makes every tree one leaf as deep as rows usually are.
func (r *Rolling) clear() {
	for t := range r.count {
		tree := r.tree(t)
		tree.clear()
		tree.end(1, 0, r.psi, r.b.c)
	}
}
