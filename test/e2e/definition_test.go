package e2e

import (
	"errors"
	"testing"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/controlplane/crd"
)

// definitions installs kinds of other projects, and gives an administrator's
// client. They stay, for the tests that come after.
func definitions(t *testing.T, names ...string) *kube.Client {
	t.Helper()
	c, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig, QPS: 200, Burst: 400})
	if err != nil {
		t.Fatal(err)
	}
	if err := crd.Install(t.Context(), c, names...); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefinitions(t *testing.T) {
	const name = "clusternetworkpolicies.policy.networking.k8s.io"
	c := definitions(t, name)
	if err := crd.Install(t.Context(), c, name); err != nil {
		t.Error("again:", err)
	}
	policy := func(action string) []byte {
		return []byte(`{"apiVersion":"policy.networking.k8s.io/v1alpha2","kind":"ClusterNetworkPolicy","metadata":{"name":"t-definitions"},
			"spec":{"tier":"Admin","priority":1,"subject":{"namespaces":{}},"ingress":[{"action":"` + action + `","from":[{"namespaces":{}}]}]}}`)
	}
	if err := c.Create(t.Context(), policy("Refuse")); err == nil {
		t.Error("the real schema takes an action that it doesn't know")
	}
	if err := c.Create(t.Context(), policy("Deny")); err != nil {
		t.Error(err)
	}
	if err := crd.Remove(t.Context(), c, name); err != nil {
		t.Fatal(err)
	}
	if _, err := c.List(t.Context(), "policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", "", ""); !errors.Is(err, kube.ErrNotFound) {
		t.Error(err)
	}
}
