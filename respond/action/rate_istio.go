package action

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// EnvoyFilter of Istio, by which the sidecars of a Service's pods get Envoy's
// local rate limit.
//
// https://istio.io/latest/docs/tasks/policy-enforcement/rate-limit/#local-rate-limit
var envoyFilters = Resource{"networking.istio.io", "v1alpha3", "envoyfilters"}

// What the admission policy lets through: filters of this one kind, for some
// pods.
const admitFilter = kube.OwnObject + " && has(object.spec.workloadSelector) && has(object.spec.workloadSelector.labels) && size(object.spec.workloadSelector.labels) > 0" +
	" && has(object.spec.configPatches) && object.spec.configPatches.all(p, p.applyTo == 'HTTP_FILTER' && p.patch.operation == 'INSERT_BEFORE' && p.patch.value.name == '" + limitFilter + "')"

// limitFilter is the name of the filter in Envoy.
const limitFilter = "envoy.filters.http.local_ratelimit"

// istio limits by a filter of the sidecars.
func (h httpRate) istio() whole {
	return made{Deps: h.Deps, action: rateHTTP, objects: h.envoyFilter, look: unseen}
}

func (h httpRate) envoyFilter(ctx context.Context, r Request) ([]own, string, []string, error) {
	o, err := readObject(ctx, h.Deps, services, r.Target)
	if err != nil {
		return nil, "", nil, err
	}
	labels, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector")
	if len(labels) == 0 && !h.Offline {
		return nil, "", nil, refuse(r.Target, "the Service selects no pods by labels")
	}
	filter := object{"name": limitFilter, "typed_config": h.localLimit()}
	made := own{Resource: envoyFilters, Kind: "EnvoyFilter", Namespace: r.Target.Namespace, Body: object{"spec": object{
		"workloadSelector": object{"labels": labelsOf(labels)},
		"configPatches": []object{{
			"applyTo": "HTTP_FILTER",
			"match": object{"context": "SIDECAR_INBOUND", "listener": object{"filterChain": object{"filter": object{
				"name": "envoy.filters.network.http_connection_manager", "subFilter": object{"name": "envoy.filters.http.router"},
			}}}},
			"patch": object{"operation": "INSERT_BEFORE", "value": filter},
		}},
	}}}
	notes := append(h.envoyNotes(), "by EnvoyFilter of Istio, for pods with its sidecar; without one (ambient too) nothing is limited")
	return []own{made}, "limit " + r.Target.String() + " to " + h.config.String(), notes, nil
}

// envoyNotes hold for Envoy's own limit, whoever configures it.
func (h httpRate) envoyNotes() []string {
	notes := []string{"each proxy counts for itself, and answers 429 to what is more"}
	if h.config.Per == perClient {
		notes = append(notes, "counting each client takes Envoy 1.34 or later, and the address that it sees: behind another proxy that is one client")
	}
	return notes
}

// localLimit is Envoy's filter. Its own bucket is as good as bottomless where a
// descriptor has the limit; a value that a descriptor leaves out stands for each
// that comes.
//
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter
func (h httpRate) localLimit() object {
	bucket := func(n int) object {
		return object{"max_tokens": n, "tokens_per_fill": n, "fill_interval": "60s"}
	}
	all := object{"default_value": object{"numerator": 100, "denominator": "HUNDRED"}}
	limit := object{
		"@type":           "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
		"stat_prefix":     "firebreak",
		"filter_enabled":  all,
		"filter_enforced": all,
	}
	var actions, entries []object
	if h.config.Path != "" {
		actions = append(actions, object{"header_value_match": object{
			"descriptor_key": "path", "descriptor_value": "limited",
			"headers": []object{{"name": ":path", "string_match": object{"prefix": h.config.Path}}},
		}})
		entries = append(entries, object{"key": "path", "value": "limited"})
	}
	if h.config.Per == perClient {
		actions = append(actions, object{"remote_address": object{}})
		entries = append(entries, object{"key": "remote_address"})
	}
	const bottomless = 1 << 31
	limit["token_bucket"] = bucket(bottomless)
	limit["rate_limits"] = []object{{"actions": actions}}
	limit["descriptors"] = []object{{"entries": entries, "token_bucket": bucket(h.config.Requests)}}
	return limit
}

// unseen is what is known of a limit whose proxies say nothing.
func unseen(context.Context, Request, event.Plan) (event.Result, []string, error) {
	return event.ResultUnverified, []string{fmt.Sprintf("whether the proxies enforce it is not known: %s can't see them", rateHTTP)}, nil
}
