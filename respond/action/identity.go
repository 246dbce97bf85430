package action

import (
	"context"
	"errors"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

var serviceAccounts = Resource{"", "v1", "serviceaccounts"}

// subject is an identity as bindings name it.
type subject struct{ Kind, Namespace, Name string }

// The kinds of subjects.
const (
	kindUser    = "User"
	kindGroup   = "Group"
	kindAccount = "ServiceAccount"
)

const accountPrefix = "system:serviceaccount:"

// user is the name under which the API server knows it.
func (s subject) user() string {
	if s.Kind == kindAccount {
		return accountPrefix + s.Namespace + ":" + s.Name
	}
	return s.Name
}

// ofUser is the subject of a user's name.
func ofUser(name string) subject {
	if account, ok := strings.CutPrefix(name, accountPrefix); ok {
		if ns, n, ok := strings.Cut(account, ":"); ok && ns != "" && n != "" {
			return subject{kindAccount, ns, n}
		}
	}
	return subject{kindUser, "", name}
}

// identity is how a plan names it.
func (s subject) identity() event.Identity {
	if s.Kind == kindGroup {
		return event.Identity{Group: s.Name}
	}
	return event.Identity{User: s.user()}
}

// maxUser bounds the name of a user.
const maxUser = 1024

// identityOf is whom a step is about: the user that the playbook names, else the
// service account that is the target, or that the target pod runs as. Identities
// that the cluster itself works with are refused.
func identityOf(ctx context.Context, d Deps, target event.Ref, user string) (subject, error) {
	s, err := whom(ctx, d, target, user)
	if err != nil {
		return s, err
	}
	switch {
	case s.Name == "" || len(s.user()) > maxUser:
		return s, refuse(target, "no name of an identity")
	case s.Kind == kindUser && strings.HasPrefix(s.Name, "system:"):
		return s, refuse(target, "%s is an identity of the system", cut(s.Name, maxText))
	case s.Kind == kindAccount && (s.Namespace == "kube-system" || d.Home != "" && s.Namespace == d.Home):
		return s, refuse(target, "service accounts of namespace %s are protected", s.Namespace)
	}
	return s, nil
}

func whom(ctx context.Context, d Deps, target event.Ref, user string) (subject, error) {
	switch {
	case user != "":
		return ofUser(user), nil
	case target.IsThing() && target.Resource == event.ResourceUsers:
		return ofUser(target.Name), nil
	case target.Resource == serviceAccounts.Resource && target.Group == "":
		_, err := readObject(ctx, d, serviceAccounts, target)
		return subject{kindAccount, target.Namespace, target.Name}, err
	case target.IsPod():
		if ns, name, ok := strings.Cut(target.ServiceAccount, "/"); ok && d.Offline {
			return subject{kindAccount, ns, name}, nil
		}
		pod, err := readPod(ctx, d, target)
		if err != nil {
			return subject{}, err
		}
		name := pod.Spec.ServiceAccountName
		if name == "" {
			name = "default"
		}
		return subject{kindAccount, target.Namespace, name}, nil
	}
	return subject{}, refuse(target, "it has no identity of its own: name the user")
}

// runs are the pods that run as the account, and the deletes of them.
func (s subject) runs(ctx context.Context, c Cluster) ([]event.Ref, []event.Write, error) {
	pods, err := c.Pods(ctx, s.Namespace, "")
	if err != nil {
		return nil, nil, err
	}
	var refs []event.Ref
	var writes []event.Write
	for i := range pods {
		p := &pods[i]
		if p.Spec.ServiceAccountName != s.Name || p.DeletionTimestamp != nil {
			continue
		}
		ref := event.PodRef(p.Namespace, p.Name)
		ref.UID = string(p.UID)
		w := patchOf("pods", &p.ObjectMeta)
		w.Verb = "delete"
		refs, writes = append(refs, ref), append(writes, w)
	}
	return refs, writes, nil
}

// missing says whether an object is not there.
func missing(err error) bool { return errors.Is(err, kube.ErrNotFound) }
