package index

import (
	"net/netip"
	"slices"
	"time"
)

// entry is a pod with what only time tells of it.
type entry struct {
	pod *Pod
	// until is the last time that the pod was surely there; zero while it is.
	// gone is when it was seen to be no more.
	until, gone time.Time
	// earlier are containers that the pod's status names no more.
	earlier []Container
	// namesake is the next pod of the same name.
	namesake *entry
}

// maxEarlier is how many former containers of a pod are remembered: one that
// crashes again and again is soon forgotten by the pod's status.
const maxEarlier = 8

// was says whether the pod could have been there at a time, with a doubt about
// clocks of the given size.
func (e *entry) was(at time.Time, doubt time.Duration) bool {
	return !at.Before(e.pod.Created.Add(-doubt)) && (e.gone.IsZero() || !at.After(e.until.Add(doubt)))
}

// container finds the container whose id begins so.
func (e *entry) container(id string) *Container {
	for _, list := range [][]Container{e.pod.Containers, e.earlier} {
		for i := range list {
			if hasID(list[i].ID, id) {
				return &list[i]
			}
		}
	}
	return nil
}

// remember keeps the containers that the new state of the pod leaves out.
func (e *entry) remember(next *Pod) {
	for _, c := range e.pod.Containers {
		kept := func(o Container) bool { return o.ID == c.ID }
		if c.ID != "" && !slices.ContainsFunc(next.Containers, kept) && !slices.ContainsFunc(e.earlier, kept) {
			e.earlier = append(e.earlier, c)
		}
	}
	if over := len(e.earlier) - maxEarlier; over > 0 {
		e.earlier = slices.Clone(e.earlier[over:])
	}
}

// ids are the keys by which the pod's containers are found.
func (e *entry) ids() []string {
	var all []string
	for _, list := range [][]Container{e.pod.Containers, e.earlier} {
		for _, c := range list {
			if len(c.ID) >= shortID && !slices.Contains(all, c.ID[:shortID]) {
				all = append(all, c.ID[:shortID])
			}
		}
	}
	return all
}

// shortID is how much of a container's id Falco shows.
const shortID = 12

func hasID(full, asked string) bool {
	return len(asked) >= shortID && len(full) >= len(asked) && full[:len(asked)] == asked
}

// lease is the time for which a pod had an address.
type lease struct {
	entry *entry
	from  time.Time
	// until is zero while the pod has it.
	until time.Time
}

func (l lease) holds(at time.Time) bool {
	return !at.Before(l.from) && (l.until.IsZero() || !at.After(l.until))
}

// name is the key of a pod's name.
type name struct{ namespace, name string }

// addresses are the leases of each address, the newest last.
type addresses map[netip.Addr][]lease

// maxLeases bounds the memory of one address that is handed on all the time.
const maxLeases = 64

// take gives an address to a pod, from when it started. As long as the one
// before was not seen to go both have it, and the address tells nothing.
func (a addresses) take(ip netip.Addr, e *entry, from time.Time) {
	leases := a[ip]
	for _, l := range leases {
		if l.entry == e && l.until.IsZero() {
			return
		}
	}
	if len(leases) >= maxLeases {
		leases = slices.Clone(leases[1:])
	}
	a[ip] = append(leases, lease{entry: e, from: from})
}

// end closes the pod's lease of an address.
func (a addresses) end(ip netip.Addr, e *entry, until time.Time) {
	for i, l := range a[ip] {
		if l.entry == e && l.until.IsZero() {
			a[ip][i].until = until
		}
	}
}

// forget drops what is known of a pod at an address.
func (a addresses) forget(ip netip.Addr, e *entry) {
	rest := slices.DeleteFunc(a[ip], func(l lease) bool { return l.entry == e })
	if len(rest) == 0 {
		delete(a, ip)
		return
	}
	a[ip] = rest
}
