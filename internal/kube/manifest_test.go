package kube

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

const manifest = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  labels:
    app.kubernetes.io/component: rbac
    app.kubernetes.io/name: firebreak
  name: firebreak
rules:
- apiGroups:
  - ""
  resources:
  - pods
  verbs:
  - get
  - list
  - patch
- apiGroups:
  - coordination.k8s.io
  resourceNames:
  - a
  - b
  resources:
  - leases
  verbs:
  - get
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  labels:
    app.kubernetes.io/component: rbac
    app.kubernetes.io/name: firebreak
  name: firebreak
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: firebreak
subjects:
- kind: ServiceAccount
  name: responder
  namespace: security
`

func TestRoleManifest(t *testing.T) {
	all := []Permission{
		{Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"get"}, Names: []string{"b", "a", "a"}},
		{Resource: "pods", Verbs: []string{"patch", "get"}},
		{Resource: "pods", Verbs: []string{"list", "get"}},
	}
	rapid.Check(t, func(t *rapid.T) {
		got, err := RoleManifest(Account{Namespace: "security", Name: "responder"}, rapid.Permutation(all).Draw(t, "order"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(manifest, string(got)); d != "" {
			t.Fatal(d)
		}
	})
	if _, err := RoleManifest(Account{Name: "x"}, all); err == nil {
		t.Error("no namespace")
	}
}

func TestNeverAskedFor(t *testing.T) {
	bad := []Permission{
		{Resource: "*", Verbs: []string{"get"}},
		{Group: "*", Resource: "pods", Verbs: []string{"get"}},
		{Resource: "pods/*", Verbs: []string{"get"}},
		{Resource: "pods", Verbs: []string{"get", "*"}},
		{Resource: "secrets", Verbs: []string{"list"}},
		{Resource: "secrets", Verbs: []string{"get"}, Names: []string{"x"}},
		{Resource: "pods/exec", Verbs: []string{"create"}},
		{Resource: "pods/attach", Verbs: []string{"create"}},
		{Resource: "nodes/proxy", Verbs: []string{"get"}},
		{Resource: "users", Verbs: []string{"impersonate"}},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Verbs: []string{"bind"}},
		{Group: "rbac.authorization.k8s.io", Resource: "roles", Verbs: []string{"escalate"}},
	}
	for _, p := range bad {
		if _, err := MergePermissions(append(BasePermissions(), p)); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%s: %v", p, err)
		}
	}
	grave := []Permission{
		{Resource: "pods/exec", Verbs: []string{"create"}, Grave: true},
		{Resource: "secrets", Verbs: []string{"delete"}, Grave: true},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Verbs: []string{"bind"}, Names: []string{"view"}, Grave: true},
	}
	if merged, err := MergePermissions(grave); err != nil || !merged[0].Grave {
		t.Error(merged, err)
	}
	for _, p := range []Permission{
		{Resource: "secrets", Verbs: []string{"get"}, Grave: true},
		{Resource: "users", Verbs: []string{"impersonate"}, Grave: true},
		{Resource: "*", Verbs: []string{"get"}, Grave: true},
	} {
		if _, err := MergePermissions([]Permission{p}); !errors.Is(err, ErrTooMuch) {
			t.Errorf("grave %s: %v", p, err)
		}
	}
	base, err := MergePermissions(BasePermissions())
	if err != nil || !slices.IsSortedFunc(base, func(a, b Permission) int {
		return slices.Compare([]string{a.Group, a.Resource}, []string{b.Group, b.Resource})
	}) {
		t.Error(base, err)
	}
}

// The base reads single objects that it knows by name, and asks; what lists or
// writes is some action's, and comes with it.
func TestTheBaseNeitherListsNorWrites(t *testing.T) {
	for _, p := range BasePermissions() {
		want := []string{"get"}
		if p.Group == "authentication.k8s.io" || p.Group == "authorization.k8s.io" {
			want = []string{"create"}
		}
		if !slices.Equal(p.Verbs, want) {
			t.Errorf("%s: want %v only", p, want)
		}
	}
}
