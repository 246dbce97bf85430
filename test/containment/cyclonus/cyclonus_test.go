// Package cyclonus lets another project judge what package reach says: the
// matcher of https://github.com/mattfenwick/cyclonus, which is there to test
// network plugins. It knows NetworkPolicy alone, so the states are plain.
package cyclonus

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/test/containment"
)

func TestReachAgreesWithCyclonus(t *testing.T) {
	n := "300"
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		n = "100000"
	}
	if v := os.Getenv("FIREBREAK_STATES"); v != "" {
		n = v
	}
	if err := flag.Set("rapid.checks", n); err != nil {
		t.Fatal(err)
	}
	connections, allowed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := containment.Draw(t, containment.Options{Plain: true})
		var list []*networkingv1.NetworkPolicy
		for i := range s.Policies {
			list = append(list, typed(&s.Policies[i]))
		}
		policy := matcher.BuildNetworkPolicies(false, list)
		spaces := map[string]map[string]string{}
		for _, space := range s.Namespaces {
			spaces[space.Name] = space.Labels
		}
		n, err := containment.Compare(s, func(from, to containment.End, protocol string, port int) bool {
			ok := policy.IsTrafficAllowed(&matcher.Traffic{
				Source: peer(from, spaces), Destination: peer(to, spaces),
				ResolvedPort: port, ResolvedPortName: name(to, protocol, port), Protocol: corev1.Protocol(protocol),
			}).IsAllowed()
			if ok {
				allowed++
			}
			return ok
		})
		connections += n
		if err != nil {
			text, _ := json.MarshalIndent(s, "", " ")
			t.Fatalf("%v\n%s", err, text)
		}
	})
	t.Logf("%d connections, %d of them allowed", connections, allowed)
}

// typed has the policy types that the API server would have set: cyclonus
// reads policies as they are stored.
func typed(n *networkingv1.NetworkPolicy) *networkingv1.NetworkPolicy {
	n = n.DeepCopy()
	if len(n.Spec.PolicyTypes) == 0 {
		n.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(n.Spec.Egress) > 0 {
			n.Spec.PolicyTypes = append(n.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	return n
}

func peer(e containment.End, spaces map[string]map[string]string) *matcher.TrafficPeer {
	switch {
	case e.Pod != nil:
		return &matcher.TrafficPeer{IP: e.Address, Internal: &matcher.InternalPeer{
			PodLabels: e.Pod.Labels, NamespaceLabels: spaces[e.Pod.Namespace], Namespace: e.Pod.Namespace,
		}}
	}
	return &matcher.TrafficPeer{IP: e.Address}
}

// name is what the destination calls a port.
func name(e containment.End, protocol string, port int) string {
	if e.Pod == nil {
		return ""
	}
	for _, c := range e.Pod.Spec.Containers {
		for _, p := range c.Ports {
			if of := string(p.Protocol); int(p.ContainerPort) == port && (of == protocol || of == "" && protocol == "TCP") {
				return p.Name
			}
		}
	}
	return ""
}
