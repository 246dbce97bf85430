package action

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const rateHTTP = "rate.http"

// The means of rate.http, as the config names them.
const (
	rateNginx  = "ingress-nginx"
	rateEnvoy  = "envoy-gateway"
	rateIstio  = "istio"
	rateCilium = "cilium"
)

var (
	ingresses = Resource{"networking.k8s.io", "v1", "ingresses"}
	routes    = Resource{"gateway.networking.k8s.io", "v1", "httproutes"}
	gateways  = Resource{"gateway.networking.k8s.io", "v1", "gateways"}
	services  = Resource{"", "v1", "services"}
)

func init() {
	register(Kind{
		Name: rateHTTP,
		Doc: "Bounds HTTP requests a minute, for each client or for a path: at an Ingress by ingress-nginx, at an HTTPRoute or Gateway by " +
			"Envoy Gateway, at a Service by Istio or Cilium. Each proxy counts for itself.",
		Class:      Effect,
		Reversible: true,
		OptIn:      true,
		Targets:    []string{ingresses.Resource, routes.Resource, gateways.Resource, services.Resource},
		Holds:      []Resource{ingresses, trafficPolicies, envoyFilters, envoyConfigs},
		Fields:     []string{field{Path: nginxRate}.id(), field{Path: nginxBurst}.id()},
		Config:     func() any { return newHTTPRate() },
		Example: func() any {
			return &HTTPRateConfig{Requests: 30, Per: perClient, By: meansAuto}
		},
		Check: func(config any) error { return checked(rateHTTP, config, HTTPRateConfig.check) },
		Needs: []Permission{
			{Group: ingresses.Group, Resource: ingresses.Resource, Verbs: []string{"get", "list", "patch"}},
			{Group: ingresses.Group, Resource: "ingressclasses", Verbs: []string{"get"}},
			{Group: routes.Group, Resource: routes.Resource, Verbs: []string{"get"}},
			{Group: gateways.Group, Resource: gateways.Resource, Verbs: []string{"get"}},
			{Resource: services.Resource, Verbs: []string{"get"}},
			{Group: trafficPolicies.Group, Resource: trafficPolicies.Resource, Verbs: []string{"get", "list", "create", "patch", "delete"}},
			{Group: envoyFilters.Group, Resource: envoyFilters.Resource, Verbs: []string{"get", "list", "create", "patch", "delete"}},
			{Group: envoyConfigs.Group, Resource: envoyConfigs.Resource, Verbs: []string{"get", "list", "create", "patch", "delete"}},
		},
		Admits: slices.Concat([]Admit{{Group: ingresses.Group, Resource: ingresses.Resource, Operation: "UPDATE", Expression: admitNginx}},
			ownAdmits(trafficPolicies, admitTraffic), ownAdmits(envoyFilters, admitFilter), ownAdmits(envoyConfigs, admitEnvoyConfig)),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[HTTPRateConfig](rateHTTP, config)
			if err != nil {
				return nil, err
			}
			return httpRate{d, *c}, c.check()
		},
	})
}

// HTTPRateConfig are the parameters of rate.http.
type HTTPRateConfig struct {
	// Requests are how many a minute.
	Requests int `yaml:"requests,required" json:"requests"`
	// Per is client (each address its own count) or path (all clients together).
	Per string `yaml:"per" json:"per"`
	// Path limits it to requests of a path and all below. Per path needs one.
	Path string `yaml:"path,filled" json:"path,omitempty"`
	// By is what to do it with: auto goes by the target, and for a Service by
	// what the cluster has.
	By string `yaml:"by" json:"by"`
}

func newHTTPRate() *HTTPRateConfig { return &HTTPRateConfig{Per: perClient, By: meansAuto} }

const (
	perClient = "client"
	perPath   = "path"

	maxRequests = 1_000_000
	maxPath     = 512
)

func (c HTTPRateConfig) check() error {
	why := ""
	switch {
	case c.Requests < 1 || c.Requests > maxRequests:
		why = fmt.Sprintf("%d requests: between 1 and %d", c.Requests, maxRequests)
	case c.Per != perClient && c.Per != perPath:
		why = fmt.Sprintf("per %.40q is none of client, path", c.Per)
	case c.Per == perPath && c.Path == "":
		why = "per path needs a path"
	case !slices.Contains([]string{meansAuto, rateNginx, rateEnvoy, rateIstio, rateCilium}, c.By):
		why = fmt.Sprintf("by %.40q is none of auto, ingress-nginx, envoy-gateway, istio, cilium", c.By)
	case c.Path != "":
		why = badPath(c.Path)
	}
	if why != "" {
		return fmt.Errorf("%s: %s", rateHTTP, why)
	}
	return nil
}

// badPath says what is wrong with a path: it is compared byte by byte, and
// stands in other systems' configuration.
func badPath(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/-._~!$&'()*+,;=:@%", r)
	}
	switch {
	case len(path) > maxPath:
		return fmt.Sprintf("path has more than %d bytes", maxPath)
	case !strings.HasPrefix(path, "/"):
		return "path does not begin with /"
	case strings.ContainsFunc(path, func(r rune) bool { return !plain(r) }):
		return fmt.Sprintf("path %.80q has characters that no path has (RFC 3986)", path)
	}
	return ""
}

// what is said of the limit.
func (c HTTPRateConfig) String() string {
	s := fmt.Sprintf("%d requests a minute", c.Requests)
	if c.Per == perClient {
		s += " of each client"
	}
	if c.Path != "" {
		s += " to " + c.Path
	}
	return s
}

// httpRate leaves it to what the target is limited by.
type httpRate struct {
	Deps
	config HTTPRateConfig
}

// whole is an action with all that the service asks of one.
type whole interface {
	Action
	Verifier
	Marker
	Watcher
}

// by is the action for a target.
func (h httpRate) by(ctx context.Context, target event.Ref) (whole, error) {
	at := func(x Resource) bool { return target.Resource == x.Resource && target.Group == x.Group }
	fits := func(by string) bool { return h.config.By == meansAuto || h.config.By == by }
	switch {
	case at(ingresses) && fits(rateNginx):
		return h.nginx(), nil
	case (at(routes) || at(gateways)) && fits(rateEnvoy):
		return h.envoyGateway(), nil
	case at(services) && h.config.By == rateCilium:
		return h.cilium(), nil
	case at(services) && h.config.By == rateIstio:
		return h.istio(), nil
	case at(services) && h.config.By == meansAuto:
		return h.mesh(ctx, target)
	}
	return nil, refuse(target, "%s does not limit such a target", h.config.By)
}

// mesh is what the cluster has for a Service.
func (h httpRate) mesh(ctx context.Context, target event.Ref) (whole, error) {
	x, ok, err := first(ctx, h.Cluster, envoyFilters, envoyConfigs)
	switch {
	case kube.Unread(err):
		return nil, refuse(target, "whether the cluster has Istio's EnvoyFilter or Cilium's CiliumEnvoyConfig can't be known: %v", err)
	case err != nil:
		return nil, err
	case !ok && !h.Offline:
		return nil, refuse(target, "the cluster has neither Istio's EnvoyFilter nor Cilium's CiliumEnvoyConfig")
	case x == envoyConfigs:
		return h.cilium(), nil
	}
	return h.istio(), nil
}

// Plan lists what the target's means needs.
func (h httpRate) Plan(ctx context.Context, r Request) (event.Plan, error) {
	a, err := h.by(ctx, r.Target)
	if err != nil {
		return event.Plan{}, err
	}
	return a.Plan(ctx, r)
}

// Do carries out the plan.
func (h httpRate) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	a, err := h.by(ctx, r.Target)
	if err != nil {
		return event.Receipt{}, err
	}
	return a.Do(ctx, r, p)
}

// Verify looks whether it stands as it was written.
func (h httpRate) Verify(ctx context.Context, r Request, p event.Plan, done event.Receipt) (event.Receipt, error) {
	a, err := h.by(ctx, r.Target)
	if err != nil {
		return done, err
	}
	return a.Verify(ctx, r, p, done)
}

// Undo takes the limit away.
func (h httpRate) Undo(ctx context.Context, r Request, done event.Receipt, end event.AtEnd) (event.Receipt, error) {
	a, err := h.by(ctx, r.Target)
	if err != nil {
		return event.Receipt{}, err
	}
	return a.Undo(ctx, r, done, end)
}

// Watch is that of the way that the target takes.
func (h httpRate) Watch(ctx context.Context, r Request, p event.Plan) (Drift, error) {
	a, err := h.by(ctx, r.Target)
	if err != nil {
		return Drift{}, err
	}
	return a.Watch(ctx, r, p)
}

// Mark writes the hold's end.
func (h httpRate) Mark(ctx context.Context, r Request) error {
	a, err := h.by(ctx, r.Target)
	if err != nil {
		return err
	}
	return a.Mark(ctx, r)
}
