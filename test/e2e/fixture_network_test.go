package e2e

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// The suite tries each by plain NetworkPolicy, which every cluster has;
// TestOwnObjects tries the other means, with the real definitions.
func init() {
	policies := action.Resource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
	for kind, config := range map[string]any{
		"network.deny":       &action.DenyConfig{Scope: scope("both", "networkpolicy"), Addresses: []string{"192.0.2.7", "2001:db8::/32"}},
		"network.allow":      &action.AllowConfig{Scope: scope("both", "networkpolicy"), Addresses: []string{"192.0.2.0/24"}, Inside: true, DNS: true},
		"network.quarantine": &action.CutConfig{Scope: scope("both", "networkpolicy")},
	} {
		conform(fixture{
			kind: kind, at: podResource, make: makePod, ready: podReady, again: true,
			config: func(*trial) any { return config },
			result: []event.Result{event.ResultUnverified, event.ResultEnforced},
			around: []action.Resource{policies},
			held:   func(c *trial, _ *unstructured.Unstructured) string { return c.owns(policies, true, 1) },
			meddle: func(c *trial, _ string) { c.meddleOwn(policies, true) },
			kept:   func(c *trial, _ *unstructured.Unstructured) string { return c.owns(policies, true, 0) },
			rare:   networkRare(),
		})
	}
	flows := action.Resource{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Resource: "flowschemas"}
	levels := action.Resource{Group: "flowcontrol.apiserver.k8s.io", Version: "v1", Resource: "prioritylevelconfigurations"}
	conform(fixture{
		kind: "rate.api", at: podResource, make: makePod, ready: podReady, again: true,
		held: func(c *trial, _ *unstructured.Unstructured) string {
			return c.owns(flows, false, 1) + c.owns(levels, false, 1)
		},
		meddle: func(c *trial, _ string) { c.meddleOwn(flows, false) },
		kept: func(c *trial, _ *unstructured.Unstructured) string {
			return c.owns(flows, false, 0) + c.owns(levels, false, 0)
		},
	})
	ingresses := action.Resource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}
	const rate = "nginx.ingress.kubernetes.io/limit-rpm"
	elsewhere := "only a target of another kind needs it"
	rare := map[string]string{
		"list ingresses.networking.k8s.io": "the reconciler lists what is held", "get httproutes.gateway.networking.k8s.io": elsewhere,
		"get gateways.gateway.networking.k8s.io": elsewhere, "get services": elsewhere,
	}
	for _, x := range []string{"backendtrafficpolicies.gateway.envoyproxy.io", "envoyfilters.networking.istio.io", "ciliumenvoyconfigs.cilium.io"} {
		for _, verb := range []string{"get", "list", "create", "patch", "delete"} {
			rare[verb+" "+x] = elsewhere
		}
	}
	conform(fixture{
		kind: "rate.http", at: ingresses, make: makeIngress, rare: rare,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetAnnotations()[rate], "30", "annotation")
		},
		meddle: func(c *trial, name string) { c.patch(name, `{"metadata":{"annotations":{"`+rate+`":"7","x":"y"}}}`) },
		kept: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetAnnotations()[rate]+o.GetAnnotations()["x"], "7y", "annotations")
		},
	})
}

// networkRare are the permissions for means that not every cluster has.
func networkRare() map[string]string {
	rare := map[string]string{"get namespaces": "only a namespace as the target", "get tiers.projectcalico.org": "only where there is Calico"}
	for _, x := range []string{
		"clusternetworkpolicies.policy.networking.k8s.io", "adminnetworkpolicies.policy.networking.k8s.io",
		"ciliumnetworkpolicies.cilium.io", "networkpolicies.projectcalico.org",
	} {
		for _, verb := range []string{"get", "list", "create", "patch", "delete"} {
			rare[verb+" "+x] = "only where the cluster has it"
		}
	}
	return rare
}

// own are the objects that steps about objects of the trial made.
func (c *trial) own(x action.Resource, namespaced bool) []unstructured.Unstructured {
	c.t.Helper()
	list, err := c.api(x, namespaced).List(c.ctx(), metav1.ListOptions{LabelSelector: action.HeldKey + "=" + action.HeldYes})
	c.no(err, "list "+x.Resource)
	var mine []unstructured.Unstructured
	for _, o := range list.Items {
		if namespaced || c.targets[o.GetAnnotations()[action.TargetKey]] {
			mine = append(mine, o)
		}
	}
	return mine
}

func (c *trial) owns(x action.Resource, namespaced bool, n int) string {
	return want(fmt.Sprint(len(c.own(x, namespaced))), fmt.Sprint(n), "number of "+x.Resource)
}

// meddleOwn edits what was made, as somebody else.
func (c *trial) meddleOwn(x action.Resource, namespaced bool) {
	c.t.Helper()
	for _, o := range c.own(x, namespaced) {
		_, err := c.api(x, namespaced).Patch(c.ctx(), o.GetName(), types.MergePatchType, []byte(`{"metadata":{"labels":{"x":"y"}}}`), metav1.PatchOptions{FieldManager: "somebody"})
		c.no(err, "edit "+x.Resource)
	}
}

// makeIngress makes one of a class of ingress-nginx.
func makeIngress(c *trial, name string) {
	class := action.Resource{Group: "networking.k8s.io", Version: "v1", Resource: "ingressclasses"}
	if _, err := c.api(class, false).Get(c.ctx(), c.ns, metav1.GetOptions{}); apierrors.IsNotFound(err) {
		c.create(class, false, map[string]any{
			"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": map[string]any{"name": c.ns},
			"spec": map[string]any{"controller": "k8s.io/ingress-nginx"},
		})
		c.t.Cleanup(func() {
			_ = c.api(class, false).Delete(context.WithoutCancel(c.ctx()), c.ns, metav1.DeleteOptions{})
		})
	}
	c.create(c.x.at, true, map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
		"metadata": map[string]any{"name": name, "annotations": map[string]any{"note": "n"}},
		"spec": map[string]any{"ingressClassName": c.ns, "defaultBackend": map[string]any{
			"service": map[string]any{"name": "web", "port": map[string]any{"number": 80}},
		}},
	})
}
