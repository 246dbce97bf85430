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
	owners      map[uint64]int32
	// offered counts rows; epoch is the time of the first.
	offered uint64
	epoch   int64
	last    int64
	full    uint64
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
		heap: make([]int32, 0, l.Reservoir), place: make([]int32, 0, l.Reservoir), owners: map[uint64]int32{},
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
	capped = principal != 0 && int(r.owners[principal]) >= r.limit(principal)
	switch {
	case capped:
		r.full++
		where = r.lowestOf(principal)
		if r.slots[where].key >= s.key {
			return -1, true
		}
		r.replace(where, s, row)
	case len(r.slots) < r.size:
		where = r.append(s, row)
	default:
		where = int(r.heap[0])
		if r.slots[where].key >= s.key {
			return -1, false
		}
		r.replace(where, s, row)
	}
	return where, capped
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

// limit is how many rows of a principal may be remembered: its share, or an
// equal part where principals are few. A new one counts as being there.
func (r *reservoir) limit(principal uint64) int {
	few := len(r.owners)
	if _, there := r.owners[principal]; !there {
		few++
	}
	return max(1, int(math.Ceil(float64(r.share*float64(r.size)))), r.size/max(few, 1))
}

func (r *reservoir) lowestOf(principal uint64) int {
	best := -1
	for i := range r.slots {
		if r.slots[i].principal == principal && (best < 0 || r.slots[i].key < r.slots[best].key) {
			best = i
		}
	}
	return best
}

func (r *reservoir) append(s slot, row []float64) int {
	i := int32(len(r.slots))
	r.slots, r.x = append(r.slots, s), append(r.x, row...)
	r.heap, r.place = append(r.heap, i), append(r.place, i)
	r.own(s.principal, 1)
	r.up(int(i))
	return int(i)
}

func (r *reservoir) replace(i int, s slot, row []float64) {
	r.own(r.slots[i].principal, -1)
	r.own(s.principal, 1)
	r.slots[i] = s
	copy(r.x[i*r.dims:], row)
	r.up(int(r.place[i]))
	r.down(int(r.place[i]))
}

func (r *reservoir) own(principal uint64, n int32) {
	if principal == 0 {
		return
	}
	if r.owners[principal] += n; r.owners[principal] == 0 {
		delete(r.owners, principal)
	}
}

// row is the row in slot i.
func (r *reservoir) row(i int) []float64 { return r.x[i*r.dims : (i+1)*r.dims] }

func (r *reservoir) less(i, j int) bool {
	a, b := r.heap[i], r.heap[j]
	return r.slots[a].key < r.slots[b].key
}

func (r *reservoir) swap(i, j int) {
	r.heap[i], r.heap[j] = r.heap[j], r.heap[i]
	r.place[r.heap[i]], r.place[r.heap[j]] = int32(i), int32(j)
}

func (r *reservoir) up(i int) {
	for i > 0 && r.less(i, (i-1)/2) {
		r.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (r *reservoir) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(r.heap); child++ {
			if r.less(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		r.swap(i, least)
		i = least
	}
}
