package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// ProbesKey is the label of held pods that even their own node is kept from,
// with the value ProbesCut. It is apart from [HoldKey], so that of several steps
// that hold a pod only those that asked for it set it.
const (
	ProbesKey = event.AnnotationPrefix + "hold-probes"
	ProbesCut = "cut"
)

// ProbesPolicyName is the name of the static policy that keeps a held pod's own
// node out, in clusters with Cilium. It comes and goes as [HoldPolicyName] does.
const ProbesPolicyName = HoldPolicyName + ".probes"

// probesTier keeps a held pod's own node out. Of the means that are known only
// Cilium can: to it the node is a peer like others.
//
// https://docs.cilium.io/en/stable/security/policy/language/#entities-based
func probesTier() tier {
	host := []string{"host"}
	return tier{"Cilium", []tierObject{{
		Resource: ciliumPolicies, Kind: "CiliumNetworkPolicy", Namespaced: true, Name: ProbesPolicyName, Label: ProbesKey,
		Spec: object{"endpointSelector": podsWith(ProbesKey), "ingressDeny": []object{{"fromEntities": host}}, "egressDeny": []object{{"toEntities": host}}},
	}}}
}

// keepOut adds what keeps the pod's own node out, if the cluster has it.
func (q quarantine) keepOut(ctx context.Context, best containment, around reach.State, pod *corev1.Pod) (containment, error) {
	best.cut = true
	o := probesTier().objects[0]
	served, err := q.Cluster.Serves(ctx, o.Group, o.Version, o.Resource.Resource)
	if kube.Unread(err) {
		return best, nil // said with the policies that could not be read
	}
	if err != nil || !served {
		return best, err
	}
	t := probesTier()
	objects, err := t.reachObjects(pod.Namespace)
	if err != nil {
		return best, err
	}
	around.Objects = append(slices.Clone(around.Objects), objects...)
	r, err := reach.New(around).Report(pod.Namespace, pod.Name)
	if err != nil && !errors.Is(err, reach.ErrUnknownPod) {
		return best, err
	}
	if err == nil {
		best.apart = r.Apart
	}
	best.probes = &t
	return best, nil
}

// tiers are what is made beside the hold policy.
func (c containment) tiers() []tier {
	var list []tier
	if c.tier != nil {
		list = append(list, *c.tier)
	}
	if c.probes != nil {
		list = append(list, *c.probes)
	}
	return list
}

// leaks says that something gets through that is to be kept out.
func (c containment) leaks() bool {
	return c.ended == "" && (len(c.flows) > 0 || c.cut && len(c.apart) < 2)
}

// probeNotes say what becomes of the pod's own node.
func (c containment) probeNotes() []string {
	switch {
	case !c.cut:
		return nil
	case len(c.apart) == 2:
		return []string{"kept out by Cilium: the pod's own node, the kubelet's probes with it"}
	case len(c.apart) == 1:
		return []string{"leaks: traffic with the pod's own node, kept out at " + c.apart[0] + " alone"}
	}
	return []string{"leaks: traffic with the pod's own node, the kubelet's probes with it: only Cilium can keep it out"}
}

// quarantineNotes hold for every quarantine.
func quarantineNotes(cut bool) []string {
	node := "traffic with the pod's own node is always allowed, the kubelet's probes with it"
	if cut {
		node = "without probes the kubelet restarts containers that have a liveness probe, and what they held in memory is lost"
	}
	return []string{
		"open connections may survive until they are closed",
		node,
		"whether the network plugin enforces NetworkPolicy is not known",
	}
}

// maxProbes bounds how many probes are told one by one.
const maxProbes = 8

// probeNotes say which probes need what stays open, and why it does, or which
// fail when it does not.
func probeNotes(pod *corev1.Pod, cut bool) []string {
	var uses []string
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, p := range []struct {
			kind  string
			probe *corev1.Probe
		}{{"liveness", c.LivenessProbe}, {"readiness", c.ReadinessProbe}, {"startup", c.StartupProbe}} {
			if how := overNetwork(p.probe); how != "" {
				uses = append(uses, fmt.Sprintf("%s %s by %s", c.Name, p.kind, how))
			}
		}
	}
	if len(uses) == 0 {
		return nil
	}
	if n := len(uses) - maxProbes; n > 0 {
		uses = append(uses[:maxProbes], fmt.Sprintf("%d more", n))
	}
	if cut {
		return []string{"probes that fail without the pod's own node: " + strings.Join(uses, ", ")}
	}
	return []string{"stays open: traffic with the pod's own node, since probes need it (" + strings.Join(uses, ", ") +
		"): cut off, the kubelet would restart the containers, and what they hold in memory would be lost"}
}

// overNetwork says how a probe reaches its container; empty is that there is
// none, or that it needs no network.
func overNetwork(p *corev1.Probe) string {
	switch {
	case p == nil:
		return ""
	case p.HTTPGet != nil:
		return "HTTP on port " + cut(p.HTTPGet.Port.String(), maxText)
	case p.TCPSocket != nil:
		return "TCP on port " + cut(p.TCPSocket.Port.String(), maxText)
	case p.GRPC != nil:
		return fmt.Sprintf("gRPC on port %d", p.GRPC.Port)
	}
	return ""
}
