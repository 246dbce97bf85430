package e2e

import (
	"context"
	"errors"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// role lets a user do these things, and waits until that is known.
func (c *trial) role(user string, needs []kube.Permission) {
	c.t.Helper()
	c.bound(user, needs)
	c.known(user)
}

// bound lets a user do these things.
func (c *trial) bound(user string, needs []kube.Permission) {
	c.t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "conform-" + user}}
	merged, err := kube.MergePermissions(needs)
	c.no(err, "merge permissions")
	for _, p := range merged {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{p.Group}, Resources: []string{p.Resource}, ResourceNames: p.Names, Verbs: p.Verbs})
	}
	// What the policy forbids to everybody shows that it is looked at.
	role.Rules = append(role.Rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"resourcequotas"}, Verbs: []string{"create"}})
	_, err = c.admin.RbacV1().ClusterRoles().Create(c.ctx(), role, metav1.CreateOptions{})
	c.no(err, "create role")
	unbind(c.t, role.Name, c.admin.RbacV1().ClusterRoles().Delete)
	_, err = c.admin.RbacV1().ClusterRoleBindings().Create(c.ctx(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}, metav1.CreateOptions{})
	c.no(err, "bind role")
	unbind(c.t, role.Name, c.admin.RbacV1().ClusterRoleBindings().Delete)
}

// known waits until the API server knows of a user's role.
func (c *trial) known(user string) {
	c.t.Helper()
	eventually(c.t, "role of "+user, func(ctx context.Context) error {
		review, err := c.admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "create", Resource: "resourcequotas", Namespace: c.ns},
		}}, metav1.CreateOptions{})
		if err == nil && !review.Status.Allowed {
			err = errors.New("is not known yet")
		}
		return err
	})
}

func cmpError(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}
