package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// The suite tries each by plain NetworkPolicy, which every cluster has;
// TestOwnObjects tries the other means, with the real definitions.
func init() {
	policies := action.Resource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
	for kind, config := range map[string]func(by string) any{
		"network.deny": func(by string) any {
			return &action.DenyConfig{Scope: scope("both", by), Addresses: []string{"192.0.2.7", "2001:db8::/32"}}
		},
		"network.allow": func(by string) any {
			return &action.AllowConfig{Scope: scope("both", by), Addresses: []string{"192.0.2.0/24"}, Inside: true, DNS: true}
		},
		"network.quarantine": func(by string) any { return &action.CutConfig{Scope: scope("both", by), KeepProbes: true} },
	} {
		x := fixture{
			kind: kind, at: podResource, make: makePod, ready: podReady, again: true,
			config: func(*trial) any { return config("networkpolicy") },
			result: []event.Result{event.ResultUnverified, event.ResultEnforced},
			around: []action.Resource{policies},
			held:   func(c *trial, _ *unstructured.Unstructured) string { return c.owns(policies, true, 1) },
			meddle: func(c *trial, _ string) { c.meddleOwn(policies, true) },
			kept:   func(c *trial, _ *unstructured.Unstructured) string { return c.owns(policies, true, 0) },
			rare:   networkRare(),
		}
		for means, names := range map[string][]string{
			"clusternetworkpolicy": {"clusternetworkpolicies.policy.networking.k8s.io"}, "adminnetworkpolicy": {"adminnetworkpolicies.policy.networking.k8s.io"},
			"cilium": {"ciliumnetworkpolicies.cilium.io"}, "calico": nil,
		} {
			w := x
			w.config, w.definitions = func(*trial) any { return config(means) }, names
			if means == "adminnetworkpolicy" && kind == "network.deny" {
				continue // it knows no addresses, and is refused
			}
			if means == "calico" {
				w.calico, w.deps = true, func(c *trial, _ *action.Deps) { calico(c.t) }
			}
			x.ways = append(x.ways, w)
		}
		if kind == "network.deny" {
			maps.DeleteFunc(x.rare, func(permission, _ string) bool { return strings.Contains(permission, "adminnetworkpolicies") })
		}
		space := x
		space.at, space.ready, space.make = namespaceResource, nil, func(*trial, string) {}
		space.named = func(c *trial, _ string) string { return c.ns }
		x.ways = append(x.ways, space)
		conform(x)
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
		"get httproutes.gateway.networking.k8s.io": elsewhere,
		"get gateways.gateway.networking.k8s.io":   elsewhere, "get services": elsewhere,
	}
	for _, x := range []string{"backendtrafficpolicies.gateway.envoyproxy.io", "envoyfilters.networking.istio.io", "ciliumenvoyconfigs.cilium.io"} {
		for _, verb := range []string{"get", "list", "create", "patch", "delete"} {
			rare[verb+" "+x] = elsewhere
		}
	}
	rated := fixture{
		kind: "rate.http", at: ingresses, make: makeIngress, rare: rare,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetAnnotations()[rate], "30", "annotation")
		},
		meddle: func(c *trial, name string) { c.patch(name, `{"metadata":{"annotations":{"`+rate+`":"7","x":"y"}}}`) },
		kept: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetAnnotations()[rate]+o.GetAnnotations()["x"], "7y", "annotations")
		},
	}
	for _, by := range []struct {
		at          action.Resource
		definitions []string
		body        map[string]any
		by          string
	}{
		{gatewayResource("httproutes"), envoyDefinitions, map[string]any{"kind": "HTTPRoute", "spec": map[string]any{"rules": []any{map[string]any{"backendRefs": []any{map[string]any{"name": "web", "port": 80}}}}}}, "envoy-gateway"},
		{gatewayResource("gateways"), envoyDefinitions, map[string]any{"kind": "Gateway", "spec": map[string]any{"gatewayClassName": "x", "listeners": []any{map[string]any{"name": "http", "port": 80, "protocol": "HTTP"}}}}, "envoy-gateway"},
		{services, []string{"envoyfilters.networking.istio.io"}, serviceBody, "istio"},
		{services, []string{"ciliumenvoyconfigs.cilium.io"}, serviceBody, "cilium"},
	} {
		w := rated
		w.at, w.definitions = by.at, by.definitions
		w.config = func(*trial) any { return &action.HTTPRateConfig{Requests: 30, Per: "client", By: by.by} }
		w.make = func(c *trial, name string) {
			o := maps.Clone(by.body)
			o["apiVersion"], o["metadata"] = strings.TrimPrefix(by.at.Group+"/v1", "/"), map[string]any{"name": name}
			c.create(by.at, true, o)
		}
		rated.ways = append(rated.ways, w)
	}
	conform(rated)
}

var (
	namespaceResource = action.Resource{Version: "v1", Resource: "namespaces"}
	envoyDefinitions  = []string{
		"backendtrafficpolicies.gateway.envoyproxy.io", "httproutes.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io",
	}
	serviceBody = map[string]any{"kind": "Service", "spec": map[string]any{
		"selector": map[string]any{"app": "web"}, "ports": []any{map[string]any{"name": "http", "port": 80}},
	}}
)

func gatewayResource(plural string) action.Resource {
	return action.Resource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: plural}
}

// calico makes kinds of Calico's API, whose definitions no Go module has: they
// take whatever fields there are. Firebreak's tier stands in them.
func calico(t *testing.T) {
	t.Helper()
	root := definitions(t)
	for name, scope := range map[string]string{"tiers": "Cluster", "networkpolicies": "Namespaced"} {
		manifest := fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%[1]s.projectcalico.org"},
			"spec":{"group":"projectcalico.org","scope":"%[2]s","names":{"plural":"%[1]s","kind":"%[3]s"},"versions":[{"name":"v3","served":true,"storage":true,
			"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`,
			name, scope, map[string]string{"tiers": "Tier", "networkpolicies": "NetworkPolicy"}[name])
		if err := root.Create(t.Context(), []byte(manifest)); err != nil && !errors.Is(err, kube.ErrExists) {
			t.Fatal(err)
		}
	}
	eventually(t, "Calico's kinds", func(context.Context) error {
		err := root.Create(t.Context(), []byte(`{"apiVersion":"projectcalico.org/v3","kind":"Tier","metadata":{"name":"firebreak"},"spec":{"order":1}}`))
		if errors.Is(err, kube.ErrExists) {
			err = nil
		}
		if err == nil {
			_, err = root.List(t.Context(), "projectcalico.org", "v3", "networkpolicies", "", "")
		}
		return err
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
