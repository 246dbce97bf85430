//go:build linux

package torture

import (
	"hash/fnv"
	"regexp"
	"strconv"

	"github.com/firebreak-io/firebreak/internal/event"
)

// tally notes which markers were seen, and under which id each.
type tally struct {
	// ids holds a hash of the id by name and number; 0 is not seen. The last event has number 0.
	ids   map[string][]uint64
	owner map[uint64]mark
	// seen counts all, again those that were seen before, strange what has no marker.
	seen, again, strange int
	// faults are markers with two ids, and ids with two markers.
	faults []string
}

// mark is a marker, taken apart.
type mark struct {
	name string
	n    int // 0 is the last one, else the number and one
}

var markers = regexp.MustCompile(`t-([afl][0-9]+)-([0-9]{7}|end)$`)

func newTally() *tally { return &tally{ids: map[string][]uint64{}, owner: map[uint64]mark{}} }

// markOf finds the marker of a text.
func markOf(text string) (m mark, ok bool) {
	found := markers.FindStringSubmatch(text)
	if found == nil {
		return m, false
	}
	m.name = found[1]
	if found[2] != "end" {
		n, err := strconv.Atoi(found[2])
		if err != nil {
			return m, false
		}
		m.n = n + 1
	}
	return m, true
}

// textOf is where an event of ours has its marker.
func textOf(e *event.Event) string {
	if e.Source == event.SourceAudit {
		return e.Object.Name
	}
	return e.Message
}

// add notes a marker under an id, and says whether it is new.
func (t *tally) add(text, id string) bool {
	t.seen++
	m, ok := markOf(text)
	if !ok {
		t.strange++
		t.fault("no marker in " + text)
		return false
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	sum := h.Sum64() | 1
	if before, ok := t.owner[sum]; ok && before != m {
		t.fault("one id for " + text + " and another")
	}
	t.owner[sum] = m
	ids := t.ids[m.name]
	for len(ids) <= m.n {
		ids = append(ids, 0)
	}
	t.ids[m.name] = ids
	if before := ids[m.n]; before != 0 {
		t.again++
		if before != sum {
			t.fault(text + " has two ids")
		}
		return false
	}
	ids[m.n] = sum
	return true
}

func (t *tally) fault(text string) {
	if len(t.faults) < 10 {
		t.faults = append(t.faults, text)
	}
}

// distinct counts the markers.
func (t *tally) distinct() int { return t.seen - t.again - t.strange }

// missing counts what should be there, by which, and is not.
func (t *tally) missing(want map[string]source, which func(m mark) bool) (n int, first string) {
	miss := func(m mark) {
		ids := t.ids[m.name]
		if !which(m) || m.n < len(ids) && ids[m.n] != 0 {
			return
		}
		if n++; first == "" {
			first = marker(m.name, m.n-1)
		}
	}
	for name, s := range want {
		for i := range s.accepted {
			miss(mark{name, i + 1})
		}
		if s.ended {
			miss(mark{name, 0})
		}
	}
	return n, first
}

// whole and hundredth say which markers the rules find.
func whole(mark) bool       { return true }
func hundredth(m mark) bool { return m.n == 0 || (m.n-1)%100 == 0 }
