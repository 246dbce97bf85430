package kube

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// What a request can end in. Test with [errors.Is].
var (
	// ErrNotFound: there is no such object (404).
	ErrNotFound = errors.New("not found")
	// ErrExists: an object of that name is there already (409).
	ErrExists = errors.New("already exists")
	// ErrConflict: the object is not as it was when the write was planned
	// (409). It also matches ErrUIDMismatch.
	ErrConflict = errors.New("changed meanwhile")
	// ErrUIDMismatch: the name belongs to another object now.
	ErrUIDMismatch = fmt.Errorf("is another object of the same name: %w", ErrConflict)
	// ErrForbidden: the identity lacks a permission, or admission refused the
	// request (403).
	ErrForbidden = errors.New("forbidden")
	// ErrUnauthenticated: the credential is not accepted (401), or a reviewed
	// token is not valid.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrUnconditional: a patch or delete without UID and resourceVersion.
	// It is never sent.
	ErrUnconditional = errors.New("write without uid and resourceVersion")
	// ErrBusy: it can't be done now, and may be later (429): an eviction that a
	// disruption budget does not let through, or a server with too much to do.
	ErrBusy = errors.New("can't be done now")
	// ErrHandedOn: the API server would only hand the write on, to a container or
	// a kubelet, so that it is no object's.
	ErrHandedOn = errors.New("is handed on by the API server")
	// ErrTooLarge: an answer is larger than was asked for.
	ErrTooLarge = errors.New("is too large")
)

// PermissionError says which permission the API server missed.
type PermissionError struct {
	Verb, Group, Resource, Namespace string
}

// Error names the permission as people grant it.
func (e *PermissionError) Error() string {
	resource := e.Resource
	if e.Group != "" {
		resource += "." + e.Group
	}
	where := "cluster-wide"
	if e.Namespace != "" {
		where = "in namespace " + e.Namespace
	}
	return fmt.Sprintf("missing permission: %s %s %s (see firebreak rbac)", e.Verb, resource, where)
}

// Is matches [ErrForbidden].
func (e *PermissionError) Is(target error) bool { return target == ErrForbidden }

// byAdmission stands in the text of an error behind that of [ErrForbidden].
const byAdmission = " by admission: "

// ByAdmission says whether the text of an error, as a record keeps it, is that of
// a request which admission refused: a policy, a webhook, a quota or PodSecurity.
func ByAdmission(text string) bool {
	return strings.Contains(text, ErrForbidden.Error()+byAdmission)
}

// request names what was asked, for errors.
type request struct{ verb, group, resource, namespace, name string }

func (r request) String() string {
	s := r.verb + " " + r.resource
	if r.namespace != "" || r.name != "" {
		s += " " + strings.Trim(r.namespace+"/"+r.name, "/")
	}
	return s
}

// fail gives err its class and says what was asked.
func (r request) fail(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", r, r.classify(err))
}

func (r request) classify(err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return ErrNotFound
	case apierrors.IsAlreadyExists(err):
		return ErrExists
	case isUIDMismatch(err):
		return ErrUIDMismatch
	case apierrors.IsConflict(err):
		return ErrConflict
	case apierrors.IsTooManyRequests(err):
		return fmt.Errorf("%w: %s", ErrBusy, message(err))
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%w: %s", ErrUnauthenticated, message(err))
	case apierrors.IsInvalid(err) && strings.Contains(err.Error(), "denied request: "):
		// What a ValidatingAdmissionPolicy refuses is 422 unless it says otherwise.
		return fmt.Errorf("%w%s%s", ErrForbidden, byAdmission, message(err))
	case apierrors.IsForbidden(err):
		// The authoriser says `User "x" cannot patch resource "pods"`; anything
		// else is admission (a policy, a quota, a namespace on its way out).
		if m := err.Error(); strings.Contains(m, `" cannot `+r.verb+` resource`) {
			return &PermissionError{Verb: r.verb, Group: r.group, Resource: r.resource, Namespace: r.namespace}
		}
		return fmt.Errorf("%w%s%s", ErrForbidden, byAdmission, message(err))
	}
	return err
}

// isUIDMismatch tells a stale UID from a stale resourceVersion: a delete
// answers 409 and names the precondition, a patch 422 or 409 on metadata.uid.
func isUIDMismatch(err error) bool {
	if !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) {
		return false
	}
	if m := err.Error(); strings.Contains(m, "UID in precondition") || strings.Contains(m, "UID in the precondition") {
		return true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Field == "metadata.uid" {
			return true
		}
	}
	return false
}

// message is the API server's own, cut: it can repeat what others wrote.
func message(err error) string {
	const most = 512
	m := err.Error()
	if len(m) > most {
		m = strings.ToValidUTF8(m[:most], "") + "…"
	}
	return m
}
