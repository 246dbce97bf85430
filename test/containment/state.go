package containment

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// State is a generated cluster.
type State struct {
	Namespaces []corev1.Namespace
	Nodes      []corev1.Node
	Pods       []corev1.Pod
	Policies   []networkingv1.NetworkPolicy
	Admin      []AdminPolicy
}

// AdminPolicy is a policy of the admin tiers, as the test thinks of it. It is
// written in the shape of one of three kinds.
type AdminPolicy struct {
	Kind              string
	Name              string
	Baseline          bool
	Priority          int
	SubjectNamespaces metav1.LabelSelector
	SubjectPods       *metav1.LabelSelector
	Ingress, Egress   []AdminRule
}

// AdminRule is one rule. No ports is every port.
type AdminRule struct {
	Action string // Allow, Deny or Pass
	Peers  []AdminPeer
	Ports  []AdminPort
}

// AdminPeer is pods (by namespaces, and by labels if Pods is set), networks or
// nodes.
type AdminPeer struct {
	Namespaces *metav1.LabelSelector
	Pods       *metav1.LabelSelector
	// Same and NotSame stand in place of Namespaces.
	Same, NotSame []string
	Networks      []string
	Nodes         *metav1.LabelSelector
}

// AdminPort is a range, or a name. Whole is all of the protocol.
type AdminPort struct {
	Protocol string
	From, To int
	Whole    bool
	Name     string
}

// Options bound what is generated.
type Options struct {
	// Plain leaves out what only some judges know: the admin tiers, nodes and
	// pods of the host network, and the operator NotIn, by which cyclonus means
	// only what has the label, unlike the API.
	Plain bool
}

// Where the addresses of nodes and pods are, of both families.
const (
	nodeFour, nodeSix = "172.16.0.%d", "fd00:16::%d"
	podFour, podSix   = "10.0.0.%d", "fd00:10::%d"
)

// The words of the generated clusters: few, so that they meet.
var (
	values    = []string{"x", "y"}
	apps      = []string{"web", "db"}
	portNames = []string{"http", "dns", "sig"}
	ports     = []int{53, 80, 81, 443, 8080, 8090}
	cidrs     = []string{
		"0.0.0.0/0", "10.0.0.0/24", "10.0.0.0/29", "10.0.0.2/32", "192.0.2.0/24", "192.0.2.128/25", "192.0.2.128/26",
		"198.51.100.0/24", "172.16.0.0/24", "::/0", "2001:db8::/32", "fd00:10::/64", "fd00:10::/125", "fd00:10::2/128", "fd00:16::/64",
	}
)

// Outside are addresses that no pod or node of a generated cluster has.
func Outside() []string {
	return []string{"10.0.0.200", "192.0.2.7", "192.0.2.130", "192.0.2.200", "198.51.100.9", "203.0.113.1", "2001:db8::1", "2001:dead::1", "fd00:10::c8"}
}

// Ports are those that connections are tried on.
func Ports() []int { return []int{1, 53, 79, 80, 81, 82, 443, 8080, 8085, 8090, 65535} }

// Draw makes a state.
func Draw(t *rapid.T, o Options) State {
	g := generator{t, o.Plain}
	var s State
	for _, name := range []string{"a", "b", "c"} {
		s.Namespaces = append(s.Namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: g.labels("team", values, "env", values, "kubernetes.io/metadata.name", []string{name}),
		}})
	}
	for i := range 2 {
		s.Nodes = append(s.Nodes, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i), Labels: g.labels("zone", values)},
			Status:     corev1.NodeStatus{Addresses: g.nodeAddresses(i + 1)},
		})
	}
	for i := range g.upTo(2, 6) {
		s.Pods = append(s.Pods, g.pod(i, s.Nodes[i%2], o))
	}
	for i := range g.upTo(0, 4) {
		s.Policies = append(s.Policies, g.policy(i))
	}
	if !o.Plain {
		for i := range g.upTo(0, 3) {
			s.Admin = append(s.Admin, g.admin(i))
		}
	}
	return s
}

type generator struct {
	t     *rapid.T
	plain bool
}

func (g generator) upTo(lo, hi int) int { return rapid.IntRange(lo, hi).Draw(g.t, "n") }

func (g generator) one(in int) bool { return rapid.IntRange(1, in).Draw(g.t, "one in") == 1 }

func pick[T any](g generator, of []T) T { return rapid.SampledFrom(of).Draw(g.t, "pick") }

// labels gives each key, mostly, one of its values.
func (g generator) labels(pairs ...any) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		of := pairs[i+1].([]string)
		if len(of) == 1 || !g.one(4) {
			m[pairs[i].(string)] = pick(g, of)
		}
	}
	return m
}

// addresses are one of either family or one of each, the first one first.
func (g generator) addresses(four, six string, n int) []string {
	a, b := fmt.Sprintf(four, n), fmt.Sprintf(six, n)
	return pick(g, [][]string{{a}, {b}, {a, b}, {b, a}})
}

func (g generator) nodeAddresses(n int) (all []corev1.NodeAddress) {
	for _, a := range g.addresses(nodeFour, nodeSix, n) {
		all = append(all, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: a})
	}
	return all
}

func (g generator) pod(i int, node corev1.Node, o Options) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("p%d", i), Namespace: pick(g, []string{"a", "b", "c"}), Labels: g.labels("app", apps, "role", values),
	}}
	p.Spec.NodeName = node.Name
	ips := g.addresses(podFour, podSix, i+1)
	if !o.Plain && g.one(6) {
		p.Spec.HostNetwork, ips = true, nil
		for _, a := range node.Status.Addresses {
			ips = append(ips, a.Address)
		}
	}
	p.Status.PodIP = ips[0]
	for _, ip := range ips {
		p.Status.PodIPs = append(p.Status.PodIPs, corev1.PodIP{IP: ip})
	}
	var c corev1.Container
	used := map[string]bool{}
	for range g.upTo(0, 3) {
		port := corev1.ContainerPort{Name: pick(g, portNames), ContainerPort: int32(pick(g, ports)), Protocol: pick(g, []corev1.Protocol{"", "TCP", "UDP", "SCTP"})}
		// One name for a port and one port for a name: cyclonus asks with the
		// one name of a port.
		protocol := port.Protocol
		if protocol == "" {
			protocol = "TCP"
		}
		at := fmt.Sprint(protocol, port.ContainerPort)
		if !used[port.Name] && !used[at] {
			used[port.Name], used[at] = true, true
			c.Ports = append(c.Ports, port)
		}
	}
	p.Spec.Containers = []corev1.Container{c}
	return p
}

func (g generator) selector(pairs ...any) metav1.LabelSelector {
	var s metav1.LabelSelector
	for i := 0; i < len(pairs); i += 2 {
		key, of := pairs[i].(string), pairs[i+1].([]string)
		switch g.upTo(0, 9) {
		case 0, 1:
			s.MatchLabels = map[string]string{key: pick(g, of)}
		case 2:
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: "In", Values: of[:g.upTo(1, len(of))]})
		case 3:
			if g.plain {
				continue
			}
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: "NotIn", Values: []string{pick(g, of)}})
		case 4:
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: "Exists"})
		case 5:
			s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: "DoesNotExist"})
		}
	}
	return s
}

func (g generator) pods() metav1.LabelSelector   { return g.selector("app", apps, "role", values) }
func (g generator) spaces() metav1.LabelSelector { return g.selector("team", values, "env", values) }

func (g generator) policy(i int) networkingv1.NetworkPolicy {
	n := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("np%d", i), Namespace: pick(g, []string{"a", "b", "c"})}}
	n.Spec.PodSelector = g.pods()
	n.Spec.PolicyTypes = pick(g, [][]networkingv1.PolicyType{nil, {"Ingress"}, {"Egress"}, {"Ingress", "Egress"}, {"Ingress", "Egress"}})
	// Null and empty rules.
	switch g.upTo(0, 3) {
	case 0:
		n.Spec.Ingress, n.Spec.Egress = []networkingv1.NetworkPolicyIngressRule{}, []networkingv1.NetworkPolicyEgressRule{}
	case 1:
		return n
	}
	for range g.upTo(0, 2) {
		n.Spec.Ingress = append(n.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{From: g.peers(), Ports: g.ports()})
	}
	for range g.upTo(0, 2) {
		n.Spec.Egress = append(n.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: g.peers(), Ports: g.ports()})
	}
	return n
}

func (g generator) peers() []networkingv1.NetworkPolicyPeer {
	var out []networkingv1.NetworkPolicyPeer
	for range g.upTo(0, 2) {
		var p networkingv1.NetworkPolicyPeer
		pods, spaces := g.pods(), g.spaces()
		switch g.upTo(0, 3) {
		case 0:
			p.PodSelector = &pods
		case 1:
			p.NamespaceSelector = &spaces
		case 2:
			p.PodSelector, p.NamespaceSelector = &pods, &spaces
		default:
			p.IPBlock = &networkingv1.IPBlock{CIDR: pick(g, cidrs)}
			for range g.upTo(0, 2) {
				p.IPBlock.Except = append(p.IPBlock.Except, pick(g, cidrs[1:]))
			}
		}
		out = append(out, p)
	}
	return out
}

func (g generator) ports() []networkingv1.NetworkPolicyPort {
	var out []networkingv1.NetworkPolicyPort
	for range g.upTo(0, 2) {
		var p networkingv1.NetworkPolicyPort
		if protocol := pick(g, []corev1.Protocol{"", "TCP", "UDP", "SCTP"}); protocol != "" {
			p.Protocol = &protocol
		}
		switch g.upTo(0, 3) {
		case 0:
		case 1:
			name := intstr.FromString(pick(g, portNames))
			p.Port = &name
		case 2:
			lo := pick(g, ports)
			hi, port := int32(lo+g.upTo(0, 500)), intstr.FromInt32(int32(lo))
			p.Port, p.EndPort = &port, &hi
		default:
			port := intstr.FromInt32(int32(pick(g, ports)))
			p.Port = &port
		}
		out = append(out, p)
	}
	return out
}

func (g generator) admin(i int) AdminPolicy {
	// Priorities are apart: of equal ones the API promises nothing.
	a := AdminPolicy{Kind: "ClusterNetworkPolicy", Name: fmt.Sprintf("admin%d", i), Priority: 10 * (i + 1) * pick(g, []int{1, 7}), Baseline: g.one(3)}
	if i == 2 {
		a.Priority = 5
	}
	if g.one(2) {
		a.Kind = "AdminNetworkPolicy"
		switch {
		case a.Baseline && i > 0: // there is one at most
			a.Kind = "ClusterNetworkPolicy"
		case a.Baseline:
			a.Kind, a.Priority = "BaselineAdminNetworkPolicy", 0
		}
	}
	a.SubjectNamespaces = g.spaces()
	if g.one(2) {
		pods := g.pods()
		a.SubjectPods = &pods
	}
	for range g.upTo(0, 3) {
		a.Ingress = append(a.Ingress, g.adminRule(a, false))
	}
	for range g.upTo(0, 3) {
		a.Egress = append(a.Egress, g.adminRule(a, true))
	}
	return a
}

func (g generator) adminRule(a AdminPolicy, egress bool) AdminRule {
	r := AdminRule{Action: pick(g, []string{"Allow", "Deny", "Pass"})}
	if a.Kind == "BaselineAdminNetworkPolicy" && r.Action == "Pass" {
		r.Action = "Deny"
	}
	for range g.upTo(1, 2) {
		var p AdminPeer
		pods, spaces := g.pods(), g.spaces()
		p.Namespaces = &spaces
		if g.one(2) {
			p.Pods = &pods
		}
		switch old := a.Kind != "ClusterNetworkPolicy"; {
		case old && g.one(4):
			p.Namespaces, p.Same = nil, []string{"team"}
		case old && g.one(4):
			p.Namespaces, p.NotSame = nil, []string{"team", "env"}
		case !old && egress && g.one(3):
			p = AdminPeer{Networks: []string{pick(g, cidrs), pick(g, cidrs)}}
		case !old && egress && g.one(4):
			nodes := g.selector("zone", values)
			p = AdminPeer{Nodes: &nodes}
		}
		r.Peers = append(r.Peers, p)
	}
	for range g.upTo(0, 2) {
		p := AdminPort{Protocol: pick(g, []string{"TCP", "UDP", "SCTP"}), From: pick(g, ports)}
		p.To = p.From
		switch g.upTo(0, 3) {
		case 0:
			p.To += g.upTo(1, 500)
		case 1:
			p = AdminPort{Name: pick(g, portNames)}
		case 2:
			p.Whole = a.Kind == "ClusterNetworkPolicy"
		}
		r.Ports = append(r.Ports, p)
	}
	return r
}

// Reach is the state in the form that package reach takes.
func (s State) Reach() (reach.State, error) {
	out := reach.State{Namespaces: s.Namespaces, Nodes: s.Nodes, Pods: s.Pods, NetworkPolicies: s.Policies}
	for _, a := range s.Admin {
		body, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": a.Name}, "spec": a.spec()})
		if err != nil {
			return out, err
		}
		out.Objects = append(out.Objects, reach.Object{Group: "policy.networking.k8s.io", Kind: a.Kind, Name: a.Name, Body: body})
	}
	return out, nil
}
