package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// maxLooked bounds the pods for which the policies are evaluated.
const maxLooked = 100

// outlook is what all policies of the cluster together make of a barrier.
type outlook struct {
	// leaks are what gets through although it is meant to be kept out: pod,
	// direction, peer, ports and policy.
	leaks []string
	// doubts are what is not known of the policies, notes what else is to be said.
	doubts, notes []string
	// pods is how many it was evaluated for.
	pods int
}

// evaluate asks of each pod that the barrier is about what still gets through,
// by all policies as the cluster has them now. Own are the objects of the barrier
// as they were just read: the lists may be a moment older.
func (b barrier) evaluate(ctx context.Context, c Cluster, own []*unstructured.Unstructured) (outlook, error) {
	s, err := reach.Read(ctx, c)
	if err != nil {
		return outlook{}, err
	}
	for _, o := range own {
		if s, err = withObject(s, o); err != nil {
			return outlook{}, err
		}
	}
	return b.judge(s)
}

// withObject is the state with this object in the place of the one of its name.
func withObject(s reach.State, o *unstructured.Unstructured) (reach.State, error) {
	kind := o.GroupVersionKind()
	body, err := encode(o.Object)
	if err != nil {
		return s, err
	}
	if kind.Group == plainPolicies.Group {
		var p networkingv1.NetworkPolicy
		if err := json.Unmarshal(body, &p); err != nil {
			return s, fmt.Errorf("decode network policy %s/%s: %w", o.GetNamespace(), o.GetName(), err)
		}
		return withPolicy(s, &p), nil
	}
	s.Objects = append(slices.DeleteFunc(slices.Clone(s.Objects), func(x reach.Object) bool {
		return x.Group == kind.Group && x.Kind == kind.Kind && x.Namespace == o.GetNamespace() && x.Name == o.GetName()
	}), reach.Object{Group: kind.Group, Version: kind.Version, Kind: kind.Kind, Namespace: o.GetNamespace(), Name: o.GetName(), Body: body})
	return s, nil
}

// judge is evaluate for a state.
func (b barrier) judge(s reach.State) (outlook, error) {
	var out outlook
	w, at := reach.New(s), addresses(s)
	doubts := map[string]bool{}
	hosts, left := 0, 0
	for i := range s.Pods {
		p := &s.Pods[i]
		if p.Namespace != b.namespace || !b.means(p) {
			continue
		}
		if p.Spec.HostNetwork {
			hosts++ // its node's traffic, which no policy binds
			continue
		}
		if out.pods == maxLooked {
			left++
			continue
		}
		r, err := w.Report(p.Namespace, p.Name)
		if errors.Is(err, reach.ErrUnknownPod) {
			continue
		}
		if err != nil {
			return out, err
		}
		out.pods++
		for _, d := range r.Doubts {
			doubts[d] = true
		}
		for _, f := range r.Flows() {
			if leak, ok := b.leak(f, at); ok {
				out.leaks = append(out.leaks, fmt.Sprintf("leaks: pod %s %s", p.Name, leak))
			}
		}
	}
	for d := range doubts {
		out.doubts = append(out.doubts, "not known: "+d)
	}
	slices.Sort(out.doubts)
	if hosts > 0 {
		out.leaks = append(out.leaks, fmt.Sprintf("leaks: %d pods use the network of their nodes, which no policy binds", hosts))
	}
	if left > 0 {
		out.doubts = append(out.doubts, fmt.Sprintf("not known: %d more pods were not looked at, %d is the most", left, maxLooked))
	}
	return out, nil
}

// means says whether a pod is one that the barrier is for, and runs.
func (b barrier) means(p *corev1.Pod) bool {
	for k, v := range b.pods {
		if p.Labels[k] != v {
			return false
		}
	}
	return p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed
}

// addresses are those of pods and nodes, by their names as a flow has them.
func addresses(s reach.State) map[string][]netip.Addr {
	at := map[string][]netip.Addr{}
	add := func(name, text string) {
		if a, err := netip.ParseAddr(text); err == nil {
			at[name] = append(at[name], a.Unmap())
		}
	}
	for _, p := range s.Pods {
		for _, ip := range p.Status.PodIPs {
			add(p.Namespace+"/"+p.Name, ip.IP)
		}
	}
	for _, n := range s.Nodes {
		for _, a := range n.Status.Addresses {
			add(n.Name, a.Address)
		}
	}
	return at
}

// leak says what of a flow is meant to be kept out.
func (b barrier) leak(f reach.Flow, at map[string][]netip.Addr) (string, bool) {
	if f.Direction == directionEgress && !b.egress || f.Direction == directionIngress && !b.ingress {
		return "", false
	}
	switch f.Peer.Kind {
	case "addresses":
		bad := slices.DeleteFunc(slices.Clone(f.Peer.Blocks), func(block string) bool {
			p, err := netip.ParsePrefix(block)
			return err == nil && !b.bars(p)
		})
		if len(bad) == 0 {
			return "", false
		}
		f.Peer.Blocks = b.barred(bad)
	case "hosts":
		// By their names nobody can tell which addresses they are.
		if !b.only {
			return "", false
		}
	default:
		bad := slices.DeleteFunc(slices.Clone(f.Peer.Names), func(name string) bool { return !b.barsOne(f, name, at[name]) })
		if len(bad) == 0 {
			return "", false
		}
		f.Peer.Names, f.Peer.Count, f.Peer.All, f.Peer.Workload = bad, max(len(bad), f.Peer.Count-len(f.Peer.Names)+len(bad)), false, ""
		if f.Peer.Kind == "pods" && f.Peer.Namespace == "" {
			f.Peer.Namespace, _, _ = strings.Cut(bad[0], "/")
		}
	}
	return f.String(), true
}

// bars says whether any address of a block is meant to be kept out.
func (b barrier) bars(p netip.Prefix) bool {
	if b.only {
		return !slices.ContainsFunc(b.allow, func(a netip.Prefix) bool { return a.Bits() <= p.Bits() && a.Overlaps(p) })
	}
	return slices.ContainsFunc(b.deny, p.Overlaps)
}

// barred are blocks, cut to what is meant to be kept out.
func (b barrier) barred(blocks []string) []string {
	if b.only {
		return blocks
	}
	var out []string
	for _, block := range blocks {
		p, err := netip.ParsePrefix(block)
		for _, d := range b.deny {
			switch {
			case err != nil || !p.Overlaps(d):
			case d.Bits() > p.Bits():
				out = append(out, d.String())
			default:
				out = append(out, p.String())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// barsOne says whether a pod or node of a flow is meant to be kept out.
func (b barrier) barsOne(f reach.Flow, name string, ips []netip.Addr) bool {
	in := func(list []netip.Prefix) bool {
		return slices.ContainsFunc(ips, func(a netip.Addr) bool {
			return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
		})
	}
	if !b.only {
		return in(b.deny)
	}
	namespace, _, pod := strings.Cut(name, "/")
	switch {
	case in(b.allow), pod && slices.Contains(b.namespaces, namespace):
		return false
	case pod && b.dns && namespace == dnsNamespace && f.Direction == directionEgress && dnsPorts(f.Ports):
		return false
	}
	return true
}

// dnsPorts says that the ports are none but those by which names are looked up.
func dnsPorts(p reach.Ports) bool {
	for _, one := range strings.Split(p.String(), "; ") {
		if one != "TCP 53" && one != "UDP 53" {
			return false
		}
	}
	return true
}

// result is what the evaluation makes of a barrier that stands as it was made.
func (o outlook) result(d Deps) (event.Result, []string) {
	notes := slices.Clone(o.leaks[:min(len(o.leaks), maxLeaks)])
	if n := len(o.leaks) - maxLeaks; n > 0 {
		notes = append(notes, fmt.Sprintf("leaks: %d more", n))
	}
	notes = append(append(notes, o.doubts...), o.notes...)
	result := event.ResultUnverified
	switch {
	case len(o.leaks) > 0:
		result = event.ResultPartial
	case o.pods == 0:
		notes = append(notes, "no pod is there now that it could be evaluated for")
	default:
		notes = append(notes, fmt.Sprintf("held: by all policies nothing of it gets through, for %d pods", o.pods))
	}
	if d.Drill == nil {
		return result, append(notes, "whether the network plugin enforces it is not known")
	}
	works, known, note := d.Drill.Works()
	notes = append(notes, note)
	switch {
	case known && !works:
		return event.ResultVoid, notes
	case known && result == event.ResultUnverified && o.pods > 0 && len(o.doubts) == 0:
		return event.ResultEnforced, notes
	}
	return result, notes
}
