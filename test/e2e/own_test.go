package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// deed of an action on an object, with the real schemas of what it makes.
type ownCase struct {
	kind   string
	config any
	target event.Ref
	// makes are the kinds that it makes, in order.
	makes string
	want  event.Result
}

func scope(direction, by string) action.Scope { return action.Scope{Direction: direction, By: by} }

func (f *fenced) ref(x action.Resource, namespace, name string) event.Ref {
	f.t.Helper()
	o, err := f.root.Get(f.t.Context(), x.Group, x.Version, x.Resource, namespace, name)
	if err != nil {
		f.t.Fatal(err)
	}
	return event.Ref{Group: x.Group, Resource: x.Resource, Kind: o.GetKind(), Namespace: namespace, Name: name, UID: string(o.GetUID())}
}

// TestOwnObjects: what network and rate actions make is taken by the API server
// with the real schemas of the projects that it is for, made by an account with
// just the permissions that they need behind the admission policy, stays one
// when it is made twice, and goes.
func TestOwnObjects(t *testing.T) {
	root := definitions(t, "clusternetworkpolicies.policy.networking.k8s.io", "adminnetworkpolicies.policy.networking.k8s.io",
		"ciliumnetworkpolicies.cilium.io", "ciliumenvoyconfigs.cilium.io", "envoyfilters.networking.istio.io",
		"backendtrafficpolicies.gateway.envoyproxy.io", "httproutes.gateway.networking.k8s.io", "gateways.gateway.networking.k8s.io")
	f := fencedFor(t, "pod.label", "network.deny", "network.allow", "network.quarantine", "rate.api", "rate.http")
	f.root = root
	webService(t, f.admin, f.shop)
	for _, manifest := range []string{
		`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"web","namespace":"NS"},"spec":{"rules":[{"backendRefs":[{"name":"web","port":80}]}]}}`,
		`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"web","namespace":"NS"},"spec":{"gatewayClassName":"x","listeners":[{"name":"http","port":80,"protocol":"HTTP"}]}}`,
		`{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"web","namespace":"NS"},"spec":{"defaultBackend":{"service":{"name":"web","port":{"number":80}}}}}`,
		`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"builder","namespace":"NS"}}`,
	} {
		if err := root.Create(t.Context(), []byte(strings.ReplaceAll(manifest, "NS", f.shop))); err != nil {
			t.Fatal(err)
		}
	}
	ns := f.ref(action.Resource{Version: "v1", Resource: "namespaces"}, "", f.shop)
	service := f.ref(action.Resource{Version: "v1", Resource: "services"}, f.shop, "web")
	route := f.ref(action.Resource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}, f.shop, "web")
	gateway := f.ref(action.Resource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}, f.shop, "web")
	ingress := f.ref(action.Resource{Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"}, f.shop, "web")
	account := f.ref(action.Resource{Version: "v1", Resource: "serviceaccounts"}, f.shop, "builder")
	some := []string{"192.0.2.7", "198.51.100.0/24", "2001:db8::/32"}
	deny := func(direction, by string) *action.DenyConfig {
		return &action.DenyConfig{Scope: scope(direction, by), Addresses: some}
	}
	allow := func(by string) *action.AllowConfig {
		s := scope("both", by)
		s.Pods = map[string]string{"app": "web"}
		return &action.AllowConfig{Scope: s, Addresses: some, Namespaces: []string{"bank"}, Inside: true, DNS: true}
	}
	cut := func(by string) *action.CutConfig {
		return &action.CutConfig{Scope: scope("both", by), KeepProbes: true}
	}
	rate := func(per, path, by string) *action.HTTPRateConfig {
		return &action.HTTPRateConfig{Requests: 30, Per: per, Path: path, By: by}
	}
	for i, c := range []ownCase{
		{"network.deny", deny("egress", "clusternetworkpolicy"), ns, "ClusterNetworkPolicy", event.ResultUnverified},
		{"network.deny", deny("both", "clusternetworkpolicy"), ns, "ClusterNetworkPolicy", event.ResultPartial},
		{"network.deny", deny("both", "cilium"), ns, "CiliumNetworkPolicy", event.ResultUnverified},
		{"network.deny", deny("both", "networkpolicy"), ns, "NetworkPolicy", event.ResultUnverified},
		{"network.deny", deny("both", "auto"), ns, "CiliumNetworkPolicy", event.ResultUnverified},
		{"network.deny", deny("egress", "auto"), ns, "ClusterNetworkPolicy", event.ResultUnverified},
		{"network.allow", allow("clusternetworkpolicy"), ns, "ClusterNetworkPolicy", event.ResultPartial},
		{"network.allow", allow("adminnetworkpolicy"), ns, "AdminNetworkPolicy", event.ResultPartial},
		{"network.allow", allow("cilium"), ns, "CiliumNetworkPolicy", event.ResultUnverified},
		{"network.allow", allow("networkpolicy"), ns, "NetworkPolicy", event.ResultUnverified},
		{"network.quarantine", cut("clusternetworkpolicy"), ns, "ClusterNetworkPolicy", event.ResultPartial},
		{"network.quarantine", cut("adminnetworkpolicy"), ns, "AdminNetworkPolicy", event.ResultPartial},
		{"network.quarantine", cut("cilium"), ns, "CiliumNetworkPolicy", event.ResultUnverified},
		{"network.quarantine", cut("networkpolicy"), ns, "NetworkPolicy", event.ResultUnverified},
		{"rate.api", &action.APIRateConfig{Shares: 1}, account, "PriorityLevelConfiguration FlowSchema", event.ResultApplied},
		{"rate.api", &action.APIRateConfig{User: "mallory", Shares: 5, Wait: 20}, ns, "PriorityLevelConfiguration FlowSchema", event.ResultApplied},
		{"rate.http", rate("client", "", "auto"), route, "BackendTrafficPolicy", event.ResultUnverified},
		{"rate.http", rate("path", "/login", "auto"), gateway, "BackendTrafficPolicy", event.ResultUnverified},
		{"rate.http", rate("client", "/login", "auto"), service, "EnvoyFilter", event.ResultUnverified},
		{"rate.http", rate("path", "/login", "istio"), service, "EnvoyFilter", event.ResultUnverified},
		{"rate.http", rate("client", "", "cilium"), service, "CiliumEnvoyConfig", event.ResultUnverified},
		{"rate.http", rate("client", "", "auto"), ingress, "", event.ResultApplied},
	} {
		t.Run(fmt.Sprintf("%d %s %s", i, c.kind, c.makes), func(t *testing.T) { f.ownObject(t, fmt.Sprintf("run%d/step", i), c) })
	}
}

func (f *fenced) ownObject(t *testing.T, key string, c ownCase) {
	ctx := t.Context()
	k, _ := action.Lookup(c.kind)
	a, err := k.New(action.Deps{Cluster: f.kube}, c.config)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	r := action.Request{Key: key, Target: c.target, Now: now, Until: now.Add(time.Hour)}
	p, done := do(t, a, r)
	for _, n := range p.Notes {
		t.Log(n)
	}
	if kinds := f.kinds(t, p); kinds != c.makes {
		t.Errorf("makes %q, want %q", kinds, c.makes)
	}
	if again, err := a.Do(ctx, r, p); err != nil || again.Result != done.Result {
		t.Error("again:", again, err)
	}
	eventually(t, "verified", func(ctx context.Context) error {
		seen, err := a.(action.Verifier).Verify(ctx, r, p, done)
		if err == nil && seen.Result != c.want {
			err = fmt.Errorf("%s, want %s: %q", seen.Result, c.want, seen.Notes)
		}
		return err
	})
	r.Until = now.Add(2 * time.Hour)
	if err := a.(action.Marker).Mark(ctx, r); err != nil {
		t.Error("mark:", err)
	}
	if again, err := a.Plan(ctx, r); err != nil || digestOf(t, again) != digestOf(t, p) {
		t.Error("planned again it is another deed", err)
	}
	found, err := action.Find(ctx, f.root)
	if err != nil || !shows(found, key, r.Until) {
		t.Errorf("the hold is not found: %+v %v", found, err)
	}
	undo(t, a, r, done, event.AtEndRestore)
	for _, w := range p.Writes {
		if w.Verb == "create" {
			if _, err := f.root.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name); !errors.Is(err, kube.ErrNotFound) {
				t.Errorf("%s %s is left: %v", w.Resource, w.Name, err)
			}
		}
	}
	undo(t, a, r, done, event.AtEndRestore)
}

// kinds are those of what a plan makes.
func (f *fenced) kinds(t *testing.T, p event.Plan) string {
	t.Helper()
	var kinds []string
	for _, w := range p.Writes {
		if w.Verb != "create" {
			continue
		}
		o := unstructured.Unstructured{}
		if err := o.UnmarshalJSON(w.Body); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, o.GetKind())
	}
	return strings.Join(kinds, " ")
}

func shows(found action.Found, key string, until time.Time) bool {
	for _, h := range found.Holdings {
		if h.Key == key && h.Until.Equal(until.Truncate(time.Second)) || h.Key == key && h.Until.Equal(until) {
			return true
		}
	}
	return false
}

func digestOf(t *testing.T, p event.Plan) string {
	t.Helper()
	d, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}
