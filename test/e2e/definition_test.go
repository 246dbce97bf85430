package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/controlplane/crd"
	"github.com/firebreak-io/firebreak/test/wait"
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

// TestDefinitionWhoseNamesAreTaken: a definition whose kind is another's already is
// listed for good and never served. It is told apart from what is new, and nobody has to
// wait for it.
func TestDefinitionWhoseNamesAreTaken(t *testing.T) {
	const group = "taken.example.com"
	c := definitions(t)
	t.Cleanup(func() {
		if err := crd.Remove(context.WithoutCancel(t.Context()), c, "firsts."+group, "seconds."+group); err != nil {
			t.Error(err)
		}
	})
	create := func(plural, version string) {
		t.Helper()
		body := fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%[1]s.%[3]s"},
			"spec":{"group":"%[3]s","scope":"Namespaced","names":{"plural":"%[1]s","kind":"Same"},
			"versions":[{"name":"%[2]s","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]}}`, plural, version, group)
		if err := c.Create(t.Context(), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	first := func() bool {
		ok, err := c.Serves(t.Context(), group, "v1", "firsts")
		return ok && err == nil
	}
	create("firsts", "v1")
	wait.Until(t, "the first definition is served", first)
	create("seconds", "v2")
	var err error
	if !wait.Within(wait.Patience, func() bool {
		_, err = c.Serves(t.Context(), group, "v2", "seconds")
		return kube.Unread(err)
	}) || !errors.Is(err, kube.ErrUnserved) {
		t.Error(err)
	}
	if !first() {
		t.Error("what is served beside it is not any more")
	}
}
