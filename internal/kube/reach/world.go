package reach

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// World is a compiled state. It may be used by many goroutines.
type World struct {
	tiers  []*tier
	spaces map[string]*space
	pods   map[string]*endpoint
	// all are the pods in order of name, without those of the host network.
	all   []*endpoint
	nodes map[string]*endpoint
	// hosts counts the pods that use a node's network.
	hosts map[string]int
	*collector
	doubts  map[Policy][]string
	missing []string
	// engines are the network plugins whose own policies are there.
	engines map[string]bool
	// count is how many policies there are.
	count int
}

// New compiles a state. What can't be read is no error: [Report.Unknown] says
// so of every pod that it may concern.
func New(s State) *World {
	w := &World{
		spaces: map[string]*space{}, pods: map[string]*endpoint{}, nodes: map[string]*endpoint{}, hosts: map[string]int{},
		collector: newCollector(), doubts: map[Policy][]string{}, missing: slices.Clone(s.Missing), engines: map[string]bool{},
	}
	for i := range s.Namespaces {
		n := &s.Namespaces[i]
		w.spaces[n.Name] = &space{n.Name, named(n.Name, n.Labels)}
	}
	for i := range s.Nodes {
		w.nodes[s.Nodes[i].Name] = nodeEndpoint(&s.Nodes[i])
	}
	for i := range s.Pods {
		w.addPod(s, i)
	}
	slices.SortFunc(w.all, func(a, b *endpoint) int {
		return cmp.Or(strings.Compare(a.space.name, b.space.name), strings.Compare(a.name, b.name))
	})
	c := &compiler{World: w, tiers: map[string]*tier{}}
	c.compile(s)
	w.tiers = slices.SortedFunc(maps.Values(c.tiers), func(a, b *tier) int {
		return cmp.Or(cmp.Compare(a.order, b.order), strings.Compare(a.name, b.name))
	})
	return w
}

// named has the label that the API server gives every namespace.
func named(name string, of map[string]string) map[string]string {
	const key = "kubernetes.io/metadata.name"
	if of[key] == name {
		return of
	}
	of = maps.Clone(of)
	if of == nil {
		of = map[string]string{}
	}
	of[key] = name
	return of
}

// space is a namespace; of one that could not be read only its name is known.
func (w *World) space(name string) *space {
	s, ok := w.spaces[name]
	if !ok {
		s = &space{name, named(name, nil)}
		w.spaces[name] = s
		w.missing = append(w.missing, "namespace "+name+" was not read: its labels are not known")
	}
	return s
}

func (w *World) addPod(s State, i int) {
	p := &s.Pods[i]
	if over(p) {
		return
	}
	e := podEndpoint(p, w.space(p.Namespace))
	if !p.Spec.HostNetwork {
		w.pods[p.Namespace+"/"+p.Name] = e
		w.all = append(w.all, e)
		return
	}
	node, ok := w.nodes[p.Spec.NodeName]
	if !ok {
		node = &endpoint{kind: kindNode, name: p.Spec.NodeName, node: p.Spec.NodeName}
		for _, ip := range p.Status.HostIPs {
			node.addAddress(ip.IP)
		}
		if len(node.addresses) == 0 {
			node.addAddress(p.Status.HostIP)
		}
		w.nodes[p.Spec.NodeName] = node
	}
	w.hosts[p.Spec.NodeName]++
	w.pods[p.Namespace+"/"+p.Name] = node
}

// compiler fills a world.
type compiler struct {
	*World
	tiers map[string]*tier
	// start is how many address blocks there were before the object at hand.
	start int
}

func (c *compiler) compile(s State) {
	for i := range s.NetworkPolicies {
		n := &s.NetworkPolicies[i]
		c.start = len(c.prefixes)
		if err := c.networkPolicy(n); err != nil {
			c.unread(Policy{"NetworkPolicy", n.Namespace, n.Name}, err)
		}
	}
	calico := calicoTiers(s.Objects)
	for _, o := range s.Objects {
		var err error
		c.start = len(c.prefixes)
		switch o.Group {
		case "policy.networking.k8s.io":
			err = c.clusterPolicy(o)
		case "cilium.io":
			c.engines["Cilium"] = true
			err = c.cilium(o)
		case "crd.projectcalico.org", "projectcalico.org":
			c.engines["Calico"] = true
			err = c.calico(o, calico)
		}
		if err != nil {
			c.unread(o.id(), err)
		}
	}
}

// add puts a policy into its tier.
func (c *compiler) add(name string, order float64, p *policy) {
	t, ok := c.tiers[name]
	if !ok {
		t = &tier{name: name, order: order, policies: map[string][]*policy{}}
		c.tiers[name] = t
	}
	p.prefixes = c.prefixes[c.start:]
	t.policies[p.namespace] = append(t.policies[p.namespace], p)
	c.count++
}

// doubt notes what is not known of a policy's effect.
func (c *compiler) doubt(of Policy, what string) {
	if !slices.Contains(c.doubts[of], what) {
		c.doubts[of] = append(c.doubts[of], what)
	}
}

func (c *compiler) unread(of Policy, err error) {
	c.missing = append(c.missing, of.String()+" can't be read and is left out: "+err.Error())
}

// Policies is how many policies there are.
func (w *World) Policies() int { return w.count }
