package index

import (
	"net/netip"
	"time"
)

// uid finds a pod by its UID.
func (t *table) uid(uid string, now time.Time) Match {
	return t.match(t.byUID[uid], ByUID, now)
}

// container finds the pod of a container by the id or by its first twelve
// characters or more. What several containers could be is none.
func (t *table) container(id string, now time.Time) Match {
	if len(id) < shortID {
		return Match{}
	}
	var found Match
	for _, e := range t.byContainer[id[:shortID]] {
		c := e.container(id)
		if c == nil || t.past(e, now) {
			continue
		}
		if found.Pod != nil && (found.Pod.UID != e.pod.UID || found.Container.ID != c.ID) {
			return Match{By: ByContainer, Ambiguous: true}
		}
		if other := twin(e, c, id); other {
			return Match{By: ByContainer, Ambiguous: true}
		}
		found = Match{Pod: e.pod, By: ByContainer, Container: c, Gone: e.gone}
	}
	return found
}

// twin says whether another container of the same pod has an id that begins so.
func twin(e *entry, c *Container, id string) bool {
	for _, list := range [][]Container{e.pod.Containers, e.earlier} {
		for i := range list {
			if hasID(list[i].ID, id) && list[i].ID != c.ID {
				return true
			}
		}
	}
	return false
}

// name finds the pod that had a name at a time. Where the doubt about clocks
// leaves two, it is the one that surely was there, or none.
func (t *table) name(key name, at, now time.Time) Match {
	var maybe, sure []*entry
	for e := t.byName[key]; e != nil; e = e.namesake {
		if t.past(e, now) || !e.was(at, skew) {
			continue
		}
		maybe = append(maybe, e)
		if e.was(at, 0) {
			sure = append(sure, e)
		}
	}
	switch {
	case len(maybe) == 1:
		return t.match(maybe[0], ByName, now)
	case len(sure) == 1:
		return t.match(sure[0], ByName, now)
	}
	return Match{By: ByName, Ambiguous: len(maybe) > 1}
}

// address finds the pod that had an address at a time.
func (t *table) address(ip netip.Addr, at, now time.Time) Match {
	var found *entry
	for _, l := range t.byAddress[ip] {
		if t.past(l.entry, now) || !l.holds(at) {
			continue
		}
		if found != nil && found != l.entry {
			return Match{By: ByAddress, Ambiguous: true}
		}
		found = l.entry
	}
	return t.match(found, ByAddress, now)
}

func (t *table) match(e *entry, by By, now time.Time) Match {
	if e == nil || t.past(e, now) {
		return Match{By: by}
	}
	return Match{Pod: e.pod, By: by, Gone: e.gone}
}

// past says that a pod is gone for so long that it only waits to be forgotten.
func (t *table) past(e *entry, now time.Time) bool {
	return !e.gone.IsZero() && now.Sub(e.gone) > t.keep
}
