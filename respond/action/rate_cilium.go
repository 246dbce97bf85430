package action

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// CiliumEnvoyConfig of Cilium 1.20: a Service's traffic goes through a listener
// of the node's Envoy.
//
// https://docs.cilium.io/en/stable/network/servicemesh/envoy-custom-listener/
var envoyConfigs = Resource{"cilium.io", "v2", "ciliumenvoyconfigs"}

// What the admission policy lets through: configuration for one Service.
const admitEnvoyConfig = kube.OwnObject + " && has(object.spec.services) && size(object.spec.services) == 1" +
	" && (!has(object.spec.services[0].namespace) || object.spec.services[0].namespace == object.metadata.namespace)" +
	" && has(object.spec.resources) && size(object.spec.resources) == 1"

// cilium limits by a listener of Cilium's Envoy.
func (h httpRate) cilium() whole {
	return made{Deps: h.Deps, action: rateHTTP, objects: h.envoyConfig, look: unseen}
}

func (h httpRate) envoyConfig(ctx context.Context, r Request) ([]own, string, []string, error) {
	o, err := readObject(ctx, h.Deps, services, r.Target)
	if err != nil {
		return nil, "", nil, err
	}
	ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
	if len(ports) != 1 && !h.Offline {
		return nil, "", nil, refuse(r.Target, "the Service has %d ports: by Cilium one with a single port can be limited", len(ports))
	}
	ref := object{"name": r.Target.Name, "namespace": r.Target.Namespace}
	cluster := r.Target.Namespace + "/" + r.Target.Name
	manager := object{
		"@type":       "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix": "firebreak",
		"route_config": object{"name": "firebreak", "virtual_hosts": []object{{
			"name": "all", "domains": []string{"*"},
			"routes": []object{{"match": object{"prefix": "/"}, "route": object{"cluster": cluster}}},
		}}},
		"http_filters": []object{
			{"name": limitFilter, "typed_config": h.localLimit()},
			{"name": "envoy.filters.http.router", "typed_config": object{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
		},
		// The client's address, and not that of the proxy, is counted.
		"use_remote_address": true,
	}
	made := own{Resource: envoyConfigs, Kind: "CiliumEnvoyConfig", Namespace: r.Target.Namespace, Body: object{"spec": object{
		"services":        []object{ref},
		"backendServices": []object{ref},
		"resources": []object{{
			"@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
			"name":  "firebreak",
			"filter_chains": []object{{"filters": []object{{
				"name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
			}}}},
		}},
	}}}
	notes := append(h.envoyNotes(), "by CiliumEnvoyConfig, where Cilium's Envoy is enabled; the Service must speak HTTP: other traffic to it breaks")
	return []own{made}, "limit " + r.Target.String() + " to " + h.config.String(), notes, nil
}
