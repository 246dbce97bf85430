package forest

import (
	"math"
	"time"
)

// reservoir remembers a random part of the rows. Each row gets a key when it
// comes: its time, in units of the memory, plus a draw from Gumbel's
// distribution. The rows with the largest keys are remembered. That is a sample
// without replacement in which a row weighs exp(-age/memory), whatever comes
// how fast (Efraimidis and Spirakis 2006; Cormode and others, "Forward decay",
// 2009).
type reservoir struct {
	size, dims int
	memory     float64
	share      float64
	// x are the rows, one after the other; slots is what is known of each.
	x     []float64
	slots []slot
	// heap are the slots, that of the lowest key first; place is the way back.
	heap, place []int32
	owners      map[uint64]*owner
	// fattest is the principal with most rows if these are too many by now, or 0.
	fattest uint64
	// offered counts rows, capped those of principals that had all their room;
	// epoch is the time of the first and last the newest time.
	offered, capped uint64
	epoch, last     int64
}

// owner is a principal with rows that are remembered.
type owner struct {
	rows int
	// lowest is the slot of its lowest key, -1 when that has to be looked for.
	lowest int
}

type slot struct {
	key       float64
	principal uint64
	at        int64
}

func newReservoir(dims int, l Learning) reservoir {
	return reservoir{
		size: l.Reservoir, dims: dims, memory: l.Memory.Seconds(), share: l.Share,
		x: make([]float64, 0, l.Reservoir*dims), slots: make([]slot, 0, l.Reservoir),
		heap: make([]int32, 0, l.Reservoir), place: make([]int32, 0, l.Reservoir), owners: map[uint64]*owner{},
	}
}

// offer says in which slot a row is now remembered, -1 for none, and whether its
// principal had all the room that it may have.
func (r *reservoir) offer(row []float64, principal uint64, at time.Time, seed uint64) (where int, capped bool) {
	now := at.UnixNano()
	if r.offered == 0 {
		r.epoch, r.last = now, now
	}
	r.last = max(r.last, now)
	r.offered++
	s := slot{key: r.key(now, mix(mix(seed)+r.offered)), principal: principal, at: now}
	capped = r.has(principal) >= r.limit(principal)
	switch {
	case capped:
		r.capped++
		where = r.lowestOf(principal)
		if r.slots[where].key >= s.key {
			return -1, true
		}
	case len(r.slots) < r.size:
		return r.append(s, row), false
	default:
		if r.slots[r.heap[0]].key >= s.key {
			return -1, false
		}
		where = r.victim()
	}
	r.replace(where, s, row)
	return where, capped
}

// victim is the slot that has to go: the lowest key, but first of a principal
// that has too many.
func (r *reservoir) victim() int {
	if r.fattest != 0 && r.has(r.fattest) > r.limit(r.fattest) {
		return r.lowestOf(r.fattest)
	}
	return int(r.heap[0])
}

// weigh finds out whether a principal has too many rows by now, since its share
// gets smaller when others come.
func (r *reservoir) weigh() {
	r.fattest = 0
	most := 0
	for principal, o := range r.owners {
		if o.rows > most || o.rows == most && principal < r.fattest {
			r.fattest, most = principal, o.rows
		}
	}
	if most <= r.limit(r.fattest) {
		r.fattest = 0
	}
}

// key is time plus a Gumbel draw: -log(-log(u)).
func (r *reservoir) key(now int64, random uint64) float64 {
	u := (float64(random>>11) + 0.5) * (1.0 / (1 << 53))
	g := -logarithm(-logarithm(u))
	if r.memory > 0 {
		g += float64(now-r.epoch) / 1e9 / r.memory
	}
	return g
}

// has is how many rows of a principal are remembered; nobody in particular has
// none.
func (r *reservoir) has(principal uint64) int {
	if o := r.owners[principal]; o != nil {
		return o.rows
	}
	return 0
}

// limit is how many rows of a principal may be remembered: its share, or an
// equal part where principals are few. A new one counts as being there.
func (r *reservoir) limit(principal uint64) int {
	few := len(r.owners)
	if r.owners[principal] == nil {
		few++
	}
	return max(1, int(math.Ceil(float64(r.share*float64(r.size)))), r.size/few)
}

// lowestOf is the slot with the lowest key of a principal that has one.
func (r *reservoir) lowestOf(principal uint64) int {
	o := r.owners[principal]
	if o.lowest >= 0 {
		return o.lowest
	}
	for i := range r.slots {
		if r.slots[i].principal == principal && (o.lowest < 0 || r.slots[i].key < r.slots[o.lowest].key) {
			o.lowest = i
		}
	}
	return o.lowest
}

func (r *reservoir) append(s slot, row []float64) int {
	i := int32(len(r.slots))
	r.slots, r.x = append(r.slots, s), append(r.x, row...)
	r.heap, r.place = append(r.heap, i), append(r.place, i)
	r.own(s.principal, int(i))
	r.up(int(i))
	return int(i)
}

func (r *reservoir) replace(i int, s slot, row []float64) {
	r.disown(r.slots[i].principal, i)
	r.slots[i] = s
	r.own(s.principal, i)
	copy(r.x[i*r.dims:], row)
	r.up(int(r.place[i]))
	r.down(int(r.place[i]))
}

// own says that the row in slot i is now a principal's.
func (r *reservoir) own(principal uint64, i int) {
	if principal == 0 {
		return
	}
	o := r.owners[principal]
	if o == nil {
		o = &owner{lowest: i}
		r.owners[principal] = o
	}
	o.rows++
	if o.lowest >= 0 && r.slots[i].key < r.slots[o.lowest].key {
		o.lowest = i
	}
}

func (r *reservoir) disown(principal uint64, i int) {
	o := r.owners[principal]
	if o == nil {
		return
	}
	if o.rows--; o.rows == 0 {
		delete(r.owners, principal)
	}
	if o.lowest == i {
		o.lowest = -1
	}
}

// row is the row in slot i.
func (r *reservoir) row(i int) []float64 { return r.x[i*r.dims : (i+1)*r.dims] }
