package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// responder is a client with a service account that has exactly the role that
// firebreak rbac prints for all actions, less what without takes away.
func responder(t *testing.T, client kubernetes.Interface, without func([]kube.Permission) []kube.Permission) *kube.Client {
	t.Helper()
	var names []string
	for _, k := range action.Kinds() {
		names = append(names, k.Name)
	}
	permissions, err := action.Permissions(names...)
	if err != nil {
		t.Fatal(err)
	}
	if without != nil {
		permissions = without(permissions)
	}
	home := namespace(t, client)
	account := kube.Account{Namespace: home, Name: "firebreak"}
	manifest, err := kube.RoleManifest(account, permissions)
	if err != nil {
		t.Fatal(err)
	}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account.Name}}
	if _, err := client.CoreV1().ServiceAccounts(home).Create(t.Context(), sa, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// The names are the cluster's: make them this test's own.
	bind(t, client, strings.ReplaceAll(string(manifest), "name: "+kube.RoleName+"\n", "name: "+home+"\n"), account)
	token, err := client.CoreV1().ServiceAccounts(home).CreateToken(t.Context(), account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig, Token: token.Status.Token, QPS: 200, Burst: 400})
	if err != nil {
		t.Fatal(err)
	}
	// The authoriser learns of a new binding a moment later.
	eventually(t, "role of "+home, func(ctx context.Context) error {
		_, err := c.Pods(ctx, "", "")
		return err
	})
	return c
}

// bind applies the manifest of a role and its binding.
func bind(t *testing.T, client kubernetes.Interface, manifest string, account kube.Account) {
	t.Helper()
	var role rbacv1.ClusterRole
	var binding rbacv1.ClusterRoleBinding
	documents := strings.Split(manifest, "---\n")
	if len(documents) != 2 {
		t.Fatalf("manifest has %d documents", len(documents))
	}
	for i, into := range []any{&role, &binding} {
		if err := yaml.UnmarshalStrict([]byte(documents[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	// The account is named firebreak too.
	binding.Subjects[0].Name = account.Name
	if !slices.Equal(binding.Subjects, []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}}) {
		t.Fatalf("binding is to %v", binding.Subjects)
	}
	roles := client.RbacV1()
	if _, err := roles.ClusterRoles().Create(t.Context(), &role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := roles.ClusterRoleBindings().Create(t.Context(), &binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_ = roles.ClusterRoleBindings().Delete(ctx, binding.Name, metav1.DeleteOptions{}) // the cluster ends soon
		_ = roles.ClusterRoles().Delete(ctx, role.Name, metav1.DeleteOptions{})
	})
}
