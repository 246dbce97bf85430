package action

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// BackendTrafficPolicy of Envoy Gateway 1.9.
//
// https://gateway.envoyproxy.io/docs/api/extension_types/#backendtrafficpolicy
var trafficPolicies = Resource{"gateway.envoyproxy.io", "v1alpha1", "backendtrafficpolicies"}

// What the admission policy lets through: a limit and nothing besides.
const admitTraffic = kube.OwnObject + " && has(object.spec.rateLimit) && has(object.spec.rateLimit.local)" +
	" && !has(object.spec.rateLimit.global) && !has(object.spec.retry) && !has(object.spec.timeout) && !has(object.spec.loadBalancer)" +
	" && !has(object.spec.faultInjection) && !has(object.spec.responseOverride) && !has(object.spec.connection)"

// envoyGateway limits by a policy beside the route or Gateway.
func (h httpRate) envoyGateway() whole {
	return made{Deps: h.Deps, action: rateHTTP, objects: h.trafficPolicy, look: h.accepted}
}

func (h httpRate) trafficPolicy(ctx context.Context, r Request) ([]own, string, []string, error) {
	x, kind := routes, "HTTPRoute"
	if r.Target.Resource == gateways.Resource {
		x, kind = gateways, "Gateway"
	}
	if _, err := readObject(ctx, h.Deps, x, r.Target); err != nil {
		return nil, "", nil, err
	}
	others, err := h.otherTraffic(ctx, r, kind)
	if err != nil {
		return nil, "", nil, err
	}
	if others != "" {
		return nil, "", nil, refuse(r.Target, "BackendTrafficPolicy %s is about it already, and the older one counts: set the limit there", others)
	}
	o := own{Resource: trafficPolicies, Kind: "BackendTrafficPolicy", Namespace: r.Target.Namespace, Body: object{"spec": object{
		"targetRefs": []object{{"group": x.Group, "kind": kind, "name": r.Target.Name}},
		"rateLimit":  object{"type": "Local", "local": object{"rules": []object{h.trafficRule()}}},
	}}}
	notes := []string{"by BackendTrafficPolicy of Envoy Gateway; each of its proxies counts for itself, and answers 429 to what is more"}
	if kind == "Gateway" {
		notes = append(notes, "each route of the Gateway counts for itself; a route with a policy of its own is not limited")
	}
	return []own{o}, "limit " + r.Target.String() + " to " + h.config.String(), notes, nil
}

func (h httpRate) trafficRule() object {
	rule := object{"limit": object{"requests": h.config.Requests, "unit": "Minute"}}
	var path object
	if h.config.Path != "" {
		path = object{"type": "PathPrefix", "value": h.config.Path}
	}
	var selectors []object
	add := func(s object) {
		if path != nil {
			s["path"] = path
		}
		selectors = append(selectors, s)
	}
	if h.config.Per == perClient {
		add(object{"sourceCIDR": object{"type": "Distinct", "value": "0.0.0.0/0"}})
	} else {
		add(object{})
	}
	rule["clientSelectors"] = selectors
	return rule
}

// otherTraffic names a policy of somebody else's for the same target.
func (h httpRate) otherTraffic(ctx context.Context, r Request, kind string) (string, error) {
	list, err := h.Cluster.List(ctx, trafficPolicies.Group, trafficPolicies.Version, trafficPolicies.Resource, r.Target.Namespace, "")
	if err != nil {
		return "", err
	}
	for i := range list {
		if list[i].GetName() == OwnName(r.Key, "") {
			continue
		}
		refs, _, _ := unstructured.NestedSlice(list[i].Object, "spec", "targetRefs")
		if one, found, _ := unstructured.NestedMap(list[i].Object, "spec", "targetRef"); found {
			refs = append(refs, one)
		}
		for _, ref := range refs {
			one, _ := ref.(map[string]any)
			if one["kind"] == kind && one["name"] == r.Target.Name && one["sectionName"] == nil {
				return list[i].GetName(), nil
			}
		}
	}
	return "", nil
}

// accepted says what Envoy Gateway makes of the policy, as far as it says it.
func (h httpRate) accepted(ctx context.Context, _ Request, p event.Plan) (event.Result, []string, error) {
	for _, w := range p.Writes {
		found, err := h.Cluster.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
		if err != nil {
			return "", nil, err
		}
		ancestors, _, _ := unstructured.NestedSlice(found.Object, "status", "ancestors")
		for _, a := range ancestors {
			one, _ := a.(map[string]any)
			if why := invalid(&unstructured.Unstructured{Object: object{"status": one}}); why != "" {
				return event.ResultVoid, []string{fmt.Sprintf("%s %s is not taken: %s", w.Resource, w.Name, why)}, nil
			}
		}
	}
	return event.ResultUnverified, []string{"whether the proxies enforce it is not known"}, nil
}
