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
	names := action.Defaults()
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

// bind applies the manifest of what an account may.
func bind(t *testing.T, client kubernetes.Interface, manifest string, account kube.Account) {
	t.Helper()
	for document := range strings.SplitSeq(manifest, "---\n") {
		var subjects []rbacv1.Subject
		var err error
		ctx, roles := t.Context(), client.RbacV1()
		switch into := rights(t, document).(type) {
		case *rbacv1.ClusterRole:
			_, err = roles.ClusterRoles().Create(ctx, into, metav1.CreateOptions{})
			unbind(t, into.Name, roles.ClusterRoles().Delete)
		case *rbacv1.ClusterRoleBinding:
			into.Subjects[0].Name = account.Name // the account is named firebreak too
			subjects = into.Subjects
			_, err = roles.ClusterRoleBindings().Create(ctx, into, metav1.CreateOptions{})
			unbind(t, into.Name, roles.ClusterRoleBindings().Delete)
		case *rbacv1.Role:
			into.Namespace = account.Namespace
			_, err = roles.Roles(account.Namespace).Create(ctx, into, metav1.CreateOptions{})
		case *rbacv1.RoleBinding:
			into.Namespace, into.Subjects[0].Name = account.Namespace, account.Name
			subjects = into.Subjects
			_, err = roles.RoleBindings(account.Namespace).Create(ctx, into, metav1.CreateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		if subjects != nil && !slices.Equal(subjects, []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: account.Namespace, Name: account.Name}}) {
			t.Fatalf("binding is to %v", subjects)
		}
	}
}

// rights is one document of a role's manifest.
func rights(t *testing.T, document string) any {
	t.Helper()
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
		t.Fatal(err)
	}
	into := map[string]any{
		"ClusterRole": &rbacv1.ClusterRole{}, "ClusterRoleBinding": &rbacv1.ClusterRoleBinding{},
		"Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{},
	}[kind.Kind]
	if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
		t.Fatal(err)
	}
	return into
}

// unbind removes what has no namespace when the test ends.
func unbind(t *testing.T, name string, remove func(context.Context, string, metav1.DeleteOptions) error) {
	t.Cleanup(func() {
		_ = remove(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{}) // the cluster ends soon
	})
}
