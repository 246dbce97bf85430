package index

import (
	"net/netip"

	corev1 "k8s.io/api/core/v1"
)

// nodeEntry is a node with what it is called besides its name.
type nodeEntry struct {
	Node
	hosts     []string
	addresses []netip.Addr
}

// nodes holds the nodes that are there. It does no locking.
type nodes struct {
	byName    map[string]*nodeEntry
	byHost    map[string]*nodeEntry
	byAddress map[netip.Addr]*nodeEntry
}

func newNodes() *nodes {
	return &nodes{map[string]*nodeEntry{}, map[string]*nodeEntry{}, map[netip.Addr]*nodeEntry{}}
}

func nodeOf(in *corev1.Node) *nodeEntry {
	n := &nodeEntry{Node: Node{Name: intern(in.Name), UID: text(string(in.UID))}}
	for _, a := range in.Status.Addresses {
		switch a.Type {
		case corev1.NodeHostName, corev1.NodeInternalDNS:
			n.hosts = append(n.hosts, text(a.Address))
		case corev1.NodeInternalIP:
			if ip, err := netip.ParseAddr(a.Address); err == nil {
				n.addresses = append(n.addresses, ip.Unmap())
			}
		}
	}
	return n
}

func (t *nodes) put(n *nodeEntry) {
	t.remove(n.Name)
	t.byName[n.Name] = n
	for _, host := range n.hosts {
		t.byHost[host] = n
	}
	for _, ip := range n.addresses {
		t.byAddress[ip] = n
	}
}

func (t *nodes) remove(name string) {
	n := t.byName[name]
	if n == nil {
		return
	}
	delete(t.byName, name)
	for _, host := range n.hosts {
		if t.byHost[host] == n {
			delete(t.byHost, host)
		}
	}
	for _, ip := range n.addresses {
		if t.byAddress[ip] == n {
			delete(t.byAddress, ip)
		}
	}
}

func (t *nodes) replace(all []*nodeEntry) {
	*t = *newNodes()
	for _, n := range all {
		t.put(n)
	}
}

// find looks for a node by its name, its host name or its internal address.
func (t *nodes) find(key string) (Node, bool) {
	n := t.byName[key]
	if n == nil {
		n = t.byHost[key]
	}
	if n == nil {
		if ip, err := netip.ParseAddr(key); err == nil {
			n = t.byAddress[ip.Unmap()]
		}
	}
	if n == nil {
		return Node{}, false
	}
	return n.Node, true
}
