package action

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/kube"
)

func expr(key string, op metav1.LabelSelectorOperator, values ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: op, Values: values}
}

func exprs(e ...metav1.LabelSelectorRequirement) metav1.LabelSelector {
	return metav1.LabelSelector{MatchExpressions: e}
}

func TestStrip(t *testing.T) {
	web := map[string]string{"app": "web", "tier": "front", "hash": "1"}
	denyAll := policy("deny", metav1.LabelSelector{})
	denyAll.Spec.Ingress = nil
	tests := map[string]struct {
		labels   map[string]string
		owner    *metav1.LabelSelector
		services []*corev1.Service
		policies []*networkingv1.NetworkPolicy
		keys     []string
		notes    []string
	}{
		"nothing selects it":         {labels: web},
		"no labels at all":           {labels: nil, services: []*corev1.Service{service("web", map[string]string{"app": "web"})}},
		"service":                    {labels: web, services: []*corev1.Service{service("web", map[string]string{"app": "web"})}, keys: []string{"app"}},
		"another service":            {labels: web, services: []*corev1.Service{service("db", map[string]string{"app": "db"})}},
		"service without a selector": {labels: web, services: []*corev1.Service{service("outside", nil)}},
		"all keys of a selector": {labels: web,
			services: []*corev1.Service{service("web", map[string]string{"app": "web", "tier": "front"})}, keys: []string{"app", "tier"}},
		"owner":                {labels: web, owner: &metav1.LabelSelector{MatchLabels: map[string]string{"hash": "1"}}, keys: []string{"hash"}},
		"In":                   {labels: web, policies: []*networkingv1.NetworkPolicy{policy("p", exprs(expr("app", "In", "web", "api")))}, keys: []string{"app"}},
		"In of others":         {labels: web, policies: []*networkingv1.NetworkPolicy{policy("p", exprs(expr("app", "In", "api")))}},
		"Exists":               {labels: web, policies: []*networkingv1.NetworkPolicy{policy("p", exprs(expr("tier", "Exists")))}, keys: []string{"tier"}},
		"NotIn leaks":          {labels: web, policies: []*networkingv1.NetworkPolicy{policy("p", exprs(expr("tier", "NotIn", "back")))}, notes: leak("p")},
		"NotIn with its value": {labels: web, policies: []*networkingv1.NetworkPolicy{policy("p", exprs(expr("tier", "NotIn", "front")))}},
		"DoesNotExist leaks":   {labels: web, policies: []*networkingv1.NetworkPolicy{policy("p", exprs(expr("none", "DoesNotExist")))}, notes: leak("p")},
		"mixed: the positive key is enough": {labels: web,
			policies: []*networkingv1.NetworkPolicy{policy("p", exprs(expr("app", "In", "web"), expr("tier", "NotIn", "back")))}, keys: []string{"app"}},
		"empty selector leaks":                      {labels: web, policies: []*networkingv1.NetworkPolicy{policy("allow-all", metav1.LabelSelector{})}, notes: leak("allow-all")},
		"empty selector selects whatever it allows": {labels: web, policies: []*networkingv1.NetworkPolicy{denyAll}, notes: leak("deny")},
		"selected only once another label is gone": {labels: web,
			services: []*corev1.Service{service("web", map[string]string{"app": "web"})},
			policies: []*networkingv1.NetworkPolicy{policy("p", exprs(expr("app", "DoesNotExist"), expr("tier", "Exists")))},
			keys:     []string{"app", "tier"}},
		"leaks only once another label is gone": {labels: web,
			services: []*corev1.Service{service("web", map[string]string{"app": "web"})},
			policies: []*networkingv1.NetworkPolicy{policy("rest", exprs(expr("app", "DoesNotExist")))},
			keys:     []string{"app"}, notes: leak("rest")},
		"by the hold label": {labels: web,
			policies: []*networkingv1.NetworkPolicy{policy("forensics", exprs(expr(HoldKey, "Exists")))}, notes: leak("forensics")},
		"by the hold label and another": {labels: web,
			policies: []*networkingv1.NetworkPolicy{policy("forensics", exprs(expr(HoldKey, "Exists"), expr("app", "Exists")))}, keys: []string{"app"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			for _, s := range tt.services {
				f.put(t, "services", s)
			}
			for _, p := range tt.policies {
				f.put(t, "networkpolicies", p)
			}
			f.put(t, "networkpolicies", policy(HoldPolicyName, metav1.LabelSelector{}))
			all, err := selectors(t.Context(), f, pod("web-1", tt.labels), kube.Owner{Kind: "ReplicaSet", Name: "web", Selector: tt.owner})
			if err != nil {
				t.Fatal(err)
			}
			keys, still := strip(tt.labels, all)
			if d := cmp.Diff(tt.keys, keys); d != "" {
				t.Errorf("labels to take off: %s", d)
			}
			if d := cmp.Diff(tt.notes, policiesOf(still)); d != "" {
				t.Errorf("notes: %s", d)
			}
		})
	}
}

func leak(name string) []string {
	return []string{"NetworkPolicy shop/" + name}
}

// policiesOf are the policies among what still selects a pod.
func policiesOf(still []selecting) []string {
	var names []string
	for _, s := range still {
		if s.kind == "NetworkPolicy" {
			names = append(names, s.String())
		}
	}
	slices.Sort(names)
	return names
}
