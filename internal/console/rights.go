package console

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// fresh is how long the cluster's answer counts about what somebody may see.
// What somebody may do is asked each time, by the desk.
const fresh = 5 * time.Second

// rights ask the cluster what people may see. It may be used concurrently.
type rights struct {
	reviewer Reviewer
	now      func() time.Time
	mu       sync.Mutex
	known    map[string]granted
}

type granted struct {
	ok bool
	at time.Time
}

func newRights(r Reviewer, now func() time.Time) *rights {
	return &rights{reviewer: r, now: now, known: map[string]granted{}}
}

// may says whether somebody may.
func (r *rights) may(ctx context.Context, user kube.User, verb, resource, name, namespace string) (bool, error) {
	groups := slices.Sorted(slices.Values(user.Groups))
	key := strings.Join([]string{user.Name, user.UID, strings.Join(groups, "\x01"), verb, resource, name, namespace}, "\x00")
	r.mu.Lock()
	g, ok := r.known[key]
	r.mu.Unlock()
	// What an authenticator adds can decide too, and is no part of the key.
	if ok && len(user.Extra) == 0 && r.now().Sub(g.at) < fresh {
		return g.ok, nil
	}
	at := r.now()
	yes, _, err := r.reviewer.Allowed(ctx, user, verb, Group, resource, name, namespace)
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxRemembered {
		clear(r.known)
	}
	r.known[key] = granted{yes, at}
	return yes, nil
}

// sight is what one person sees, within one answer.
type sight struct {
	rights *rights
	user   kube.User
	memo   map[string]bool
}

// maxNamespaces bounds how many namespaces the cluster is asked about for one
// answer; what is in others is not shown, which the answer says.
const maxNamespaces = 500

func (s *sight) may(ctx context.Context, verb, resource, namespace string) (bool, error) {
	key := verb + " " + resource + " " + namespace
	if ok, known := s.memo[key]; known {
		return ok, nil
	}
	if len(s.memo) >= maxNamespaces {
		return false, nil
	}
	ok, err := s.rights.may(ctx, s.user, verb, resource, "", namespace)
	if err == nil {
		s.memo[key] = ok
	}
	return ok, err
}

// in says whether the person may in the whole cluster, or in each of the
// namespaces. Without a namespace it takes the whole cluster.
func (s *sight) in(ctx context.Context, verb, resource string, namespaces []string) (bool, error) {
	if ok, err := s.may(ctx, verb, resource, ""); ok || err != nil {
		return ok, err
	}
	if len(namespaces) == 0 {
		return false, nil
	}
	for _, n := range namespaces {
		if n == "" {
			return false, nil
		}
		if ok, err := s.may(ctx, verb, resource, n); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}
