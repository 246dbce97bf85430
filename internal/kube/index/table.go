package index

import (
	"net/netip"
	"time"
)

// table holds the pods, those that are there and those that are gone. It does
// no locking.
type table struct {
	byUID       map[string]*entry
	byName      map[name]*entry
	byContainer map[string][]*entry // by the first characters of an id
	byAddress   addresses
	// held are the addresses that each pod ever had, for those that had any
	// beside its last ones.
	held map[*entry][]netip.Addr
	// gone are the pods that are no more, in the order in which they went.
	gone    []*entry
	keep    time.Duration
	maxGone int
}

func newTable(keep time.Duration, maxGone int) *table {
	return &table{
		byUID: map[string]*entry{}, byName: map[name]*entry{}, byContainer: map[string][]*entry{}, byAddress: addresses{},
		held: map[*entry][]netip.Addr{}, keep: keep, maxGone: maxGone,
	}
}

// put takes in what is known of a pod now. A pod of a name that another UID
// has ends that one, of which the API server never lets two be there.
func (t *table) put(p *Pod, now time.Time) {
	if p.UID == "" {
		return
	}
	e := t.byUID[p.UID]
	if e == nil {
		key := name{p.Namespace, p.Name}
		for other := t.byName[key]; other != nil; other = other.namesake {
			t.remove(other, now, now)
		}
		e = &entry{pod: p, namesake: t.byName[key]}
		t.byUID[p.UID], t.byName[key] = e, e
		t.link(e)
		t.settle(e, now)
		return
	}
	if !e.gone.IsZero() {
		return // an old state of a pod that is gone
	}
	t.unlink(e)
	e.remember(p)
	before := e.pod
	e.pod = p
	t.link(e)
	t.move(e, before, now)
	t.settle(e, now)
}

// move closes the leases of addresses that a pod has no more.
func (t *table) move(e *entry, before *Pod, now time.Time) {
	for _, ip := range before.Addresses {
		if !contains(e.pod.Addresses, ip) {
			t.byAddress.end(ip, e, now)
			if !contains(t.held[e], ip) {
				t.held[e] = append(t.held[e], ip)
			}
		}
	}
}

// settle opens the leases of a pod's addresses, and closes them when it ended.
func (t *table) settle(e *entry, now time.Time) {
	from := e.pod.Created
	if e.pod.Started.After(from) {
		from = e.pod.Started
	}
	for _, ip := range e.pod.Addresses {
		if e.pod.Ended.IsZero() {
			t.byAddress.take(ip, e, from)
			continue
		}
		until := e.pod.Ended
		if until.After(now) {
			until = now
		}
		t.byAddress.end(ip, e, until)
	}
}

// remove marks a pod as gone: it was there until a time at least, and is seen
// to be no more now.
func (t *table) remove(e *entry, until, now time.Time) {
	if e == nil || !e.gone.IsZero() {
		return
	}
	e.until, e.gone = until, now
	for _, ip := range e.pod.Addresses {
		t.byAddress.end(ip, e, until)
	}
	t.gone = append(t.gone, e)
	t.prune(now)
}

// prune forgets those that are gone for long, and the oldest of too many.
func (t *table) prune(now time.Time) {
	n := 0
	for n < len(t.gone) && (len(t.gone)-n > t.maxGone || now.Sub(t.gone[n].gone) > t.keep) {
		t.forget(t.gone[n])
		t.gone[n] = nil
		n++
	}
	t.gone = t.gone[n:]
}

// forget drops all that is known of a pod.
func (t *table) forget(e *entry) {
	t.unlink(e)
	delete(t.byUID, e.pod.UID)
	for _, ip := range e.pod.Addresses {
		t.byAddress.forget(ip, e)
	}
	for _, ip := range t.held[e] {
		t.byAddress.forget(ip, e)
	}
	delete(t.held, e)
	key := name{e.pod.Namespace, e.pod.Name}
	if t.byName[key] == e {
		if e.namesake == nil {
			delete(t.byName, key)
		} else {
			t.byName[key] = e.namesake
		}
		return
	}
	for other := t.byName[key]; other != nil; other = other.namesake {
		if other.namesake == e {
			other.namesake = e.namesake
			return
		}
	}
}

// replace is a new list of all pods: those that it leaves out went at some
// time after they were last known to be there.
func (t *table) replace(pods []*Pod, contact, now time.Time) {
	listed := make(map[string]bool, len(pods))
	for _, p := range pods {
		listed[p.UID] = true
	}
	for uid, e := range t.byUID {
		if !listed[uid] {
			t.remove(e, contact, now)
		}
	}
	for _, p := range pods {
		t.put(p, now)
	}
}

func (t *table) link(e *entry) {
	for _, id := range e.ids() {
		t.byContainer[id] = append(t.byContainer[id], e)
	}
}

func (t *table) unlink(e *entry) {
	for _, id := range e.ids() {
		rest := t.byContainer[id]
		for i := range rest {
			if rest[i] == e {
				rest = append(rest[:i:i], rest[i+1:]...)
				break
			}
		}
		if len(rest) == 0 {
			delete(t.byContainer, id)
		} else {
			t.byContainer[id] = rest
		}
	}
}

func contains(list []netip.Addr, ip netip.Addr) bool {
	for _, a := range list {
		if a == ip {
			return true
		}
	}
	return false
}
