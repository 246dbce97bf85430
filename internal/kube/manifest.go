package kube

import (
	"bytes"
	"cmp"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Account is a service account that Firebreak runs as.
type Account struct {
	Namespace, Name string
	// Role names its ClusterRole and the binding, [RoleName] if empty.
	Role string
}

// RoleName is the name of the ClusterRole and its binding where all roles are
// one process.
const RoleName = "firebreak"

// RoleManifest is a ClusterRole with exactly these permissions and its
// binding to the account, and a Role for what is in its own namespace alone, as YAML for kubectl apply. The same permissions in
// any order give the same bytes. What [MergePermissions] refuses is an error.
func RoleManifest(to Account, permissions []Permission) ([]byte, error) {
	if to.Namespace == "" || to.Name == "" {
		return nil, fmt.Errorf("role manifest: no service account")
	}
	merged, err := MergePermissions(permissions)
	if err != nil {
		return nil, fmt.Errorf("role manifest: %w", err)
	}
	name := cmp.Or(to.Role, RoleName)
	meta := metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"app.kubernetes.io/name": "firebreak", "app.kubernetes.io/component": "rbac",
	}}
	role := rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: meta,
	}
	inside := rbacv1.Role{TypeMeta: metav1.TypeMeta{APIVersion: role.APIVersion, Kind: "Role"}, ObjectMeta: meta}
	inside.Namespace = to.Namespace
	for _, p := range merged {
		rule := rbacv1.PolicyRule{APIGroups: []string{p.Group}, Resources: []string{p.Resource}, ResourceNames: p.Names, Verbs: p.Verbs}
		if p.Own {
			inside.Rules = append(inside.Rules, rule)
			continue
		}
		role.Rules = append(role.Rules, rule)
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: to.Namespace, Name: to.Name}}
	objects := []any{role, rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: role.APIVersion, Kind: "ClusterRoleBinding"},
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   subjects,
	}}
	if len(inside.Rules) > 0 {
		objects = append(objects, inside, rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: role.APIVersion, Kind: "RoleBinding"},
			ObjectMeta: inside.ObjectMeta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects:   subjects,
		})
	}
	return documents(objects)
}

// documents are objects as YAML, one document each.
func documents(objects []any) ([]byte, error) {
	var out bytes.Buffer
	for i, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("write manifest: %w", err)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(text)
	}
	return out.Bytes(), nil
}
