package index

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// life is a pod as it truly was.
type life struct {
	pod        *Pod
	began, end time.Time // end is zero while it is there
	containers []string
}

func (l *life) at(t time.Time) bool {
	return !t.Before(l.began) && (l.end.IsZero() || !t.After(l.end))
}

// world is a cluster and the table that watches it, at times with a gap.
type world struct {
	t       *rapid.T
	now     time.Time
	began   time.Time
	lives   []*life
	table   *table
	blind   bool // the watch is lost; missed: it ever was
	missed  bool
	contact time.Time
	n       int
}

func (w *world) live() (all []*life) {
	for _, l := range w.lives {
		if l.end.IsZero() {
			all = append(all, l)
		}
	}
	return all
}

func (w *world) free(key name, ip netip.Addr) bool {
	for _, l := range w.live() {
		if l.pod.Name == key.name || l.pod.Addresses[0] == ip {
			return false
		}
	}
	return true
}

func (w *world) tell(f func()) {
	if w.blind {
		return
	}
	f()
	w.contact = w.now
}

func (w *world) create() {
	key := name{"shop", fmt.Sprintf("web-%d", rapid.IntRange(0, 3).Draw(w.t, "name"))}
	ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, 3).Draw(w.t, "ip"))})
	if !w.free(key, ip) {
		return
	}
	w.n++
	l := &life{began: w.now, pod: &Pod{
		Namespace: key.namespace, Name: key.name, UID: fmt.Sprintf("uid-%d", w.n), Created: w.now, Addresses: []netip.Addr{ip},
	}}
	w.restart(l)
	w.lives = append(w.lives, l)
	w.tell(func() { w.table.put(l.pod, w.now) })
}

// restart gives a pod's container another id, of which the first twelve
// characters may be somebody else's.
func (w *world) restart(l *life) {
	w.n++
	id := fmt.Sprintf("%012x%052x", rapid.IntRange(0, 5).Draw(w.t, "id"), w.n)
	next := *l.pod
	next.Containers = []Container{{Name: "web", ID: id}}
	l.pod, l.containers = &next, append(l.containers, id)
}

func (w *world) pick(what string) *life {
	live := w.live()
	if len(live) == 0 {
		return nil
	}
	return rapid.SampledFrom(live).Draw(w.t, what)
}

// moment is a time to ask about, often one at which something changed hands.
func (w *world) moment() time.Time {
	at := w.began.Add(time.Duration(rapid.Int64Range(0, int64(w.now.Sub(w.began))+1).Draw(w.t, "at")))
	if len(w.lives) > 0 && rapid.Bool().Draw(w.t, "near") {
		l := rapid.SampledFrom(w.lives).Draw(w.t, "of")
		at = l.began
		if !l.end.IsZero() && rapid.Bool().Draw(w.t, "end") {
			at = l.end
		}
		at = at.Add(rapid.SampledFrom([]time.Duration{0, 1, -1, time.Second, -time.Second, -skew}).Draw(w.t, "by"))
	}
	if at.After(w.now) {
		return w.now
	}
	return at
}

// check asks about every name, address, container and UID at a time.
func (w *world) check(at time.Time) {
	for i := range 4 {
		key := name{"shop", fmt.Sprintf("web-%d", i)}
		if m := w.table.name(key, at, w.now); m.Pod != nil {
			l := w.of(m.Pod.UID)
			near := !at.Before(l.began.Add(-skew)) && (l.end.IsZero() || w.blind || !at.After(l.end.Add(skew)))
			if l.pod.Name != key.name || !near {
				w.t.Fatalf("%v at %s is said to be %s", key, at.Sub(w.began), m.Pod.UID)
			}
			for _, other := range w.lives {
				if other != l && other.pod.Name == key.name && other.at(at) && !l.at(at) && !w.missed && w.table.byUID[other.pod.UID] != nil {
					w.t.Fatalf("%v at %s is said to be %s, and was surely %s", key, at.Sub(w.began), m.Pod.UID, other.pod.UID)
				}
			}
		}
	}
	for i := range 3 {
		ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})
		// What nobody has been told cannot be known: a gap counts once it is over.
		if m := w.table.address(ip, at, w.now); m.Pod != nil && !w.blind {
			if l := w.of(m.Pod.UID); !l.at(at) || l.pod.Addresses[0] != ip {
				w.t.Fatalf("%s at %s is said to be %s", ip, at.Sub(w.began), m.Pod.UID)
			}
		}
	}
	for _, l := range w.lives {
		if m := w.table.uid(l.pod.UID, w.now); m.Pod != nil && m.Pod.UID != l.pod.UID {
			w.t.Fatalf("%s is said to be %s", l.pod.UID, m.Pod.UID)
		}
		for _, id := range l.containers {
			if m := w.table.container(id, w.now); m.Pod != nil && (m.Pod.UID != l.pod.UID || m.Container.ID != id) {
				w.t.Fatalf("container %s is said to be in %s", id, m.Pod.UID)
			}
			if m := w.table.container(id[:shortID], w.now); m.Pod != nil {
				for _, e := range w.table.byUID {
					if c := e.container(id[:shortID]); c != nil && !w.table.past(e, w.now) && e.pod.UID != m.Pod.UID {
						w.t.Fatalf("%s is said to be in %s, and could be in %s", id[:shortID], m.Pod.UID, e.pod.UID)
					}
				}
			}
		}
	}
}

func (w *world) of(uid string) *life {
	for _, l := range w.lives {
		if l.pod.UID == uid {
			return l
		}
	}
	w.t.Fatalf("no pod was ever called %s", uid)
	return nil
}

// Whatever pods come and go, and however names, addresses and short ids are
// handed on, no answer is about another pod; and with nothing missed, what is
// there is found.
func TestTableNeverMixesPods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		began := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
		w := &world{t: t, now: began, began: began, contact: began, table: newTable(10*time.Minute, rapid.IntRange(0, 8).Draw(t, "max"))}
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) { w.t = t; w.create() },
			"restart": func(t *rapid.T) {
				w.t = t
				if l := w.pick("pod"); l != nil {
					w.restart(l)
					w.tell(func() { w.table.put(l.pod, w.now) })
				}
			},
			"delete": func(t *rapid.T) {
				w.t = t
				if l := w.pick("pod"); l != nil {
					l.end = w.now
					w.tell(func() { w.table.remove(w.table.byUID[l.pod.UID], w.now, w.now) })
					// Nothing is handed on in the same instant.
					w.now = w.now.Add(time.Millisecond)
				}
			},
			"wait": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second)
			},
			"lose the watch": func(*rapid.T) { w.blind, w.missed = true, true },
			"list again": func(*rapid.T) {
				var pods []*Pod
				for _, l := range w.live() {
					pods = append(pods, l.pod)
				}
				w.table.replace(pods, w.contact, w.now)
				w.blind, w.contact = false, w.now
			},
			"": func(t *rapid.T) {
				w.t = t
				w.check(w.moment())
				if w.missed {
					return
				}
				for _, l := range w.live() {
					if m := w.table.name(name{"shop", l.pod.Name}, w.now, w.now); m.Pod != l.pod && !m.Ambiguous {
						t.Fatalf("%s is not found by its name", l.pod.UID)
					}
					if m := w.table.address(l.pod.Addresses[0], w.now, w.now); m.Pod != l.pod {
						t.Fatalf("%s is not found by its address", l.pod.UID)
					}
				}
			},
		})
	})
}

// A table in which everything came and went holds nothing.
func TestTableForgetsEverything(t *testing.T) {
	now := time.Now()
	table := newTable(time.Minute, 100)
	for i := range 1000 {
		ip := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		p := &Pod{Namespace: "n", Name: fmt.Sprint(i % 10), UID: fmt.Sprint("u", i), Created: now, Addresses: []netip.Addr{ip}, Containers: []Container{{Name: "c", ID: fmt.Sprintf("%064x", i)}}}
		table.put(p, now)
		moved := *p
		moved.Addresses = []netip.Addr{ip.Next()}
		moved.Containers = []Container{{Name: "c", ID: fmt.Sprintf("f%063x", i)}}
		table.put(&moved, now)
		table.remove(table.byUID[p.UID], now, now)
		if len(table.byUID) > 101 {
			t.Fatalf("%d pods are kept", len(table.byUID))
		}
	}
	table.prune(now.Add(2 * time.Minute))
	if n := len(table.byUID) + len(table.byName) + len(table.byContainer) + len(table.byAddress) + len(table.held) + len(table.gone); n != 0 {
		t.Errorf("%d entries are left: %+v", n, table)
	}
}
