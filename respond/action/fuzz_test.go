package action

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// FuzzParameters: whatever a step's parameters are, of whichever kind, they are
// refused or give a plan without a cluster, and never a panic.
func FuzzParameters(f *testing.F) {
	kinds := Kinds()
	for i, k := range kinds {
		config := k.Config()
		if k.Example != nil {
			config = k.Example()
		}
		data, err := json.Marshal(config)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), string(data), "shop", "web")
	}
	f.Fuzz(func(t *testing.T, i uint8, text, namespace, name string) {
		k := kinds[int(i)%len(kinds)]
		config := k.Config()
		if json.Unmarshal([]byte(text), config) != nil {
			return
		}
		if k.Check != nil && k.Check(config) != nil {
			return
		}
		act, err := k.New(Deps{Cluster: Offline{}, Offline: true}, config)
		if err != nil {
			return
		}
		target := event.PodRef(namespace, name)
		if len(k.Targets) > 0 && !k.Allows("pods") {
			if target, err = TargetOf(k.Targets[0], "", namespace, name); err != nil {
				target, err = TargetOf(k.Targets[0], "", "", name)
			}
			if err != nil {
				return
			}
		}
		target.UID = "u"
		p, err := act.Plan(t.Context(), Request{Key: "run1/s", Target: target, Now: noon, Until: noon})
		if err != nil {
			return
		}
		if _, err := p.Digest(); err != nil {
			t.Errorf("%s: the plan of %s has no digest: %v", k.Name, text, err)
		}
	})
}

// FuzzBarrier: whatever the policies beside a barrier are, its evaluation ends,
// and one that cuts everything off never says that it holds where a policy lets
// everything through.
func FuzzBarrier(f *testing.F) {
	f.Add([]byte(`{"podSelector":{},"policyTypes":["Ingress","Egress"],"ingress":[{}],"egress":[{}]}`), false)
	f.Add([]byte(`{"podSelector":{"matchLabels":{"app":"web"}},"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}],"ports":[{"port":53,"protocol":"UDP"}]}]}`), true)
	f.Add([]byte(`{"podSelector":{},"egress":[{"to":[{"namespaceSelector":{"matchExpressions":[{"key":"x","operator":"NotIn","values":["y"]}]}}],"ports":[{"port":"http","endPort":7}]}]}`), true)
	cut := barrier{namespace: "shop", only: true, ingress: true, egress: true}
	f.Fuzz(func(t *testing.T, spec []byte, all bool) {
		var p networkingv1.NetworkPolicy
		if json.Unmarshal(spec, &p.Spec) != nil {
			return
		}
		p.Namespace, p.Name = "shop", "theirs"
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web"}}}
		pod.Status.Phase, pod.Status.PodIPs = corev1.PodRunning, []corev1.PodIP{{IP: "10.244.0.1"}}
		s := reach.State{
			Pods: []corev1.Pod{pod}, NetworkPolicies: []networkingv1.NetworkPolicy{p},
			Namespaces: []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}},
		}
		if all {
			s.NetworkPolicies = append(s.NetworkPolicies, networkingv1.NetworkPolicy{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "open"},
				Spec: networkingv1.NetworkPolicySpec{
					PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
				},
			})
		}
		got, err := cut.judge(s)
		if err != nil {
			t.Fatal(err)
		}
		if all && len(got.leaks) == 0 {
			t.Errorf("beside a policy that allows all nothing leaks: %+v", got)
		}
	})
}
