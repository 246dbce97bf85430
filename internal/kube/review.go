package kube

import (
	"context"
	"fmt"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// User is an identity as the API server sees it.
type User struct {
	Name   string
	UID    string
	Groups []string
	// Extra is what the authenticator adds; it is passed back when the API
	// server is asked what the user may do.
	Extra map[string][]string
}

// Who asks the API server who this client is.
func (c *Client) Who(ctx context.Context) (string, error) {
	review, err := c.typed.AuthenticationV1().SelfSubjectReviews().
		Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", request{"create", authenticationv1.GroupName, "selfsubjectreviews", "", ""}.fail(err)
	}
	return review.Status.UserInfo.Username, nil
}

// ReviewToken asks the API server whose token it is. A token that is not
// accepted gives [ErrUnauthenticated]. Neither the token nor what the server
// says of it gets into the error.
func (c *Client) ReviewToken(ctx context.Context, token string) (User, error) {
	r := request{"create", authenticationv1.GroupName, "tokenreviews", "", ""}
	if strings.TrimSpace(token) == "" {
		return User{}, r.fail(ErrUnauthenticated)
	}
	review, err := c.typed.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	if err != nil {
		return User{}, r.fail(err)
	}
	if !review.Status.Authenticated || review.Status.User.Username == "" {
		return User{}, r.fail(ErrUnauthenticated)
	}
	info := review.Status.User
	user := User{Name: info.Username, UID: info.UID, Groups: info.Groups}
	for k, v := range info.Extra {
		if user.Extra == nil {
			user.Extra = map[string][]string{}
		}
		user.Extra[k] = v
	}
	return user, nil
}

// Allowed asks the API server whether a user may do verb on group, resource
// and name in a namespace (empty is cluster-wide), which need not be
// resources that exist: approving is a verb on firebreak.io playbooks. An
// answer that is not a clear yes is a no, with the server's reason.
func (c *Client) Allowed(ctx context.Context, u User, verb, group, resource, name, namespace string) (allowed bool, reason string, err error) {
	r := request{"create", authorizationv1.GroupName, "subjectaccessreviews", "", ""}
	if u.Name == "" {
		return false, "", r.fail(fmt.Errorf("review of a user without a name"))
	}
	spec := authorizationv1.SubjectAccessReviewSpec{
		User: u.Name, UID: u.UID, Groups: u.Groups,
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: verb, Group: group, Resource: resource, Name: name,
		},
	}
	for k, v := range u.Extra {
		if spec.Extra == nil {
			spec.Extra = map[string]authorizationv1.ExtraValue{}
		}
		spec.Extra[k] = v
	}
	review, err := c.typed.AuthorizationV1().SubjectAccessReviews().
		Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return false, "", r.fail(err)
	}
	return review.Status.Allowed && !review.Status.Denied, review.Status.Reason, nil
}
