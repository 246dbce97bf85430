package baseline

import (
	"math"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
)

// table counts values, and forgets them by half in halfLife.
type table struct {
	slots []slot
	index map[uint64]int32 // of larger ones
	hand  int
	// since is when a count was worth 1: those that come later are worth more,
	// which is the same as if the earlier ones became less.
	since int64
	// total is the weight of all values that came, fresh of those that were new.
	total, fresh float64
	// top is the text of the one that came most.
	top     string
	topHash uint64
}

// slot is one value.
type slot struct {
	hash  uint64
	count float32
	once  bool
}

const (
	halfLife = 7 * 24 * time.Hour
	// Sizes of an entity's, a peer group's and everybody's table.
	entityValues, groupValues, allValues = 32, 512, 4096
	// indexFrom is the size from which a table has an index.
	indexFrom = 32
	// sweep is how many slots are looked at for one to give up, when none came
	// only once.
	sweep = 16
	// maxText is how many bytes of a value are kept for people.
	maxText               = 64
	slotBytes, tableBytes = 16, 96
)

// weight is what a count is worth at a time.
func (t *table) weight(now time.Time) float64 {
	if t.since == 0 {
		t.since = now.UnixNano()
	}
	ages := float64(now.UnixNano()-t.since) / float64(halfLife)
	if ages > 16 {
		t.rescale(now, math.Exp2(-ages))
		return 1
	}
	return math.Exp2(ages)
}

func (t *table) rescale(now time.Time, by float64) {
	for i := range t.slots {
		t.slots[i].count *= float32(by)
	}
	t.total, t.fresh, t.since = t.total*by, t.fresh*by, now.UnixNano()
}

func (t *table) find(hash uint64) int {
	if t.index != nil {
		if i, ok := t.index[hash]; ok {
			return int(i)
		}
		return -1
	}
	for i := range t.slots {
		if t.slots[i].hash == hash {
			return i
		}
	}
	return -1
}

// add counts a value, in a table of at most so many.
func (t *table) add(v Value, times float64, now time.Time, most int) {
	w := t.weight(now) * times
	t.total += w
	i := t.find(v.Hash)
	if i < 0 {
		t.fresh += min(w, t.weight(now))
		i = t.place(v.Hash, most)
		t.slots[i] = slot{hash: v.Hash, count: float32(w), once: true}
	} else {
		t.slots[i].count += float32(w)
		t.slots[i].once = false
	}
	t.crown(i, v)
}

// crown keeps the text of the value that came most.
func (t *table) crown(i int, v Value) {
	if t.topHash == v.Hash && t.top != "" {
		return
	}
	best := t.find(t.topHash)
	if t.top == "" || best < 0 || t.slots[i].count > t.slots[best].count {
		t.top, t.topHash = strings.Clone(v.Text), v.Hash
	}
}

// place is where a new value goes: what came once is given up before what came
// more often.
func (t *table) place(hash uint64, most int) int {
	i := len(t.slots)
	if i < most {
		t.slots = append(t.slots, slot{})
	} else {
		i = t.victim()
		if t.index != nil {
			delete(t.index, t.slots[i].hash)
		}
	}
	if t.index == nil && len(t.slots) > indexFrom {
		t.index = make(map[uint64]int32, len(t.slots))
		for j := range t.slots[:i] {
			t.index[t.slots[j].hash] = int32(j) // #nosec G115 -- at most allValues
		}
	}
	if t.index != nil {
		t.index[hash] = int32(i) // #nosec G115 -- at most allValues
	}
	return i
}

func (t *table) victim() int {
	for range t.slots {
		t.hand = (t.hand + 1) % len(t.slots)
		if t.slots[t.hand].once {
			return t.hand
		}
	}
	least := t.hand
	for range min(sweep, len(t.slots)) {
		t.hand = (t.hand + 1) % len(t.slots)
		if t.slots[t.hand].count < t.slots[least].count {
			least = t.hand
		}
	}
	return least
}

// share is the probability of a value, where below is what it is for those that
// know more: all of it for who knows nothing yet.
func (t *table) share(hash uint64, below float64) float64 {
	if t == nil || t.total <= 0 {
		return below
	}
	var count float64
	if i := t.find(hash); i >= 0 {
		count = float64(t.slots[i].count)
	}
	return (count + t.fresh*below) / (t.total + t.fresh)
}

func (t *table) has(hash uint64) bool { return t != nil && t.find(hash) >= 0 }

// usual is the value that came most, and its share of all.
func (t *table) usual() string {
	if t == nil || t.total <= 0 {
		return ""
	}
	return t.top
}

func (t *table) bytes() int {
	return tableBytes + slotBytes*len(t.slots) + len(t.top) + 24*len(t.index)
}

func (t *table) save(out *pack.Writer) {
	out.Len(len(t.slots))
	for _, s := range t.slots {
		out.Uint(s.hash)
		out.Float(float64(s.count))
		out.Bool(s.once)
	}
	out.Len(t.hand)
	out.Int(t.since)
	out.Float(t.total)
	out.Float(t.fresh)
	out.Text(t.top)
	out.Uint(t.topHash)
}

func (t *table) load(in *pack.Reader, most int) {
	n := in.Count(most)
	t.slots = make([]slot, 0, n) // no more than there are bytes of: who wrote them decides no size
	if n > indexFrom {
		t.index = make(map[uint64]int32, n)
	}
	for range n {
		hash := in.Uint()
		if t.find(hash) >= 0 || in.Err() != nil {
			in.Fail()
			return
		}
		i := t.place(hash, most)
		t.slots[i] = slot{hash, float32(number(in)), in.Bool()}
	}
	t.hand, t.since, t.total, t.fresh = in.Len(most), in.Int(), number(in), number(in)
	t.top, t.topHash = in.Text(), in.Uint()
	if t.since < 0 || len(t.top) > maxText+4 {
		in.Fail()
	}
}

// number reads one that is finite and not below 0.
func number(in *pack.Reader) float64 {
	v := in.Float()
	if !(v >= 0 && v <= math.MaxFloat32) {
		in.Fail()
		return 0
	}
	return v
}
