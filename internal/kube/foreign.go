package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
)

const (
	// settles is how long an API that others brought may give no answer before it
	// counts as one that gives none. Several API servers that share a cluster wait 5 s
	// before they serve a new definition, and one that starts answers 404 for custom
	// resources until it has read their definitions.
	settles = 10 * time.Second
	// answers is how long it may take over one question. One who hangs is not asked
	// again for recall: a plan asks eight kinds, and has half a minute.
	answers = 5 * time.Second
	recall  = 5 * time.Minute
	// spell is how long nobody may have asked until the silence begins anew.
	spell = time.Hour
	// maxSilent bounds the APIs whose silence is timed: who may define thousands of
	// versions must not hold anybody up by waiting for each. What comes on top counts
	// as silent at once.
	maxSilent = 1024
)

var (
	// ErrUnserved: the API server has the group and version and serves nothing of it,
	// since the names of the definition are not accepted or for whatever reason. No
	// object can be there.
	ErrUnserved = errors.New("is listed and not served")
	// ErrUnanswered: the API server answers, and whoever stands behind a group that
	// others brought does not, or with failures alone. There may be objects.
	ErrUnanswered = errors.New("is not answered for")
)

// Unread says whether an error means that a kind which others brought to the cluster
// can't be read, and that asking again in a moment is of no use: [ErrUnserved],
// [ErrUnanswered], or [ErrForbidden]. Who can do without it goes on and says so.
func Unread(err error) bool {
	return errors.Is(err, ErrUnserved) || errors.Is(err, ErrUnanswered) || errors.Is(err, ErrForbidden)
}

// foreign says whether a group is not Kubernetes' own, so that a definition or
// another server answers for it.
func foreign(group string) bool {
	return group != "apiextensions.k8s.io" && group != apiServices.Group && !scheme.Scheme.IsGroupRegistered(group)
}

// foreignPath is foreign for the path of a request.
func foreignPath(path string) bool {
	_, path, ok := strings.Cut(path, "/apis/")
	group, _, _ := strings.Cut(path, "/")
	return ok && foreign(group)
}

// silences time since when APIs of others give no answer although the API server
// gives others. The zero value is ready. It may be used concurrently.
type silences struct {
	mu sync.Mutex
	of map[string]silence
	// away is when the API server itself gave no answer last, in Unix nanoseconds.
	away atomic.Int64
}

type silence struct {
	first, last time.Time
	verdict     error
	// good is how long the verdict is not asked for again.
	good time.Duration
}

// ask asks an API of others, unless its silence is known. What it answers with
// counts as an answer if said says so of its error.
func (s *silences) ask(ctx context.Context, key string, said func(error) bool, do func(context.Context) error) error {
	if err := s.known(key); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	bounded, cancel := context.WithTimeout(ctx, answers)
	defer cancel()
	began := time.Now()
	err := do(bounded)
	switch {
	case said(err):
		s.heard(key)
	case !errors.Is(ctx.Err(), context.Canceled) && !unsent(err):
		return s.failed(key, began, err)
	}
	return err
}

// unsent says that a request was held back here, by our own bound on requests.
func unsent(err error) bool {
	return err != nil && strings.Contains(err.Error(), "client rate limiter Wait")
}

// known is the verdict of a moment ago.
func (s *silences) known(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.of[key]
	if x.verdict == nil || time.Since(x.last) >= x.good || s.wasAway().After(x.first) {
		return nil
	}
	return x.verdict
}

func (s *silences) wasAway() time.Time { return time.Unix(0, s.away.Load()) }

func (s *silences) heard(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, key)
}

// failed gives an error its class: [ErrBusy] until the silence has lasted.
func (s *silences) failed(key string, began time.Time, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	x, timed := s.of[key]
	full := !timed && len(s.of) >= maxSilent
	if !timed || began.Sub(x.last) >= spell {
		x = silence{first: began}
	}
	if s.wasAway().After(x.first) {
		x = silence{first: now}
	}
	x.last, x.good = now, slowly
	if errors.Is(err, context.DeadlineExceeded) {
		x.good = recall
	}
	if now.Sub(x.first) >= settles || full {
		x.verdict = verdict(err)
	}
	if s.of == nil {
		s.of = map[string]silence{}
	}
	if !full {
		s.of[key] = x
	}
	if x.verdict == nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return x.verdict
}

// verdict is an error's class once the silence has lasted.
func verdict(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrUnserved, err)
	}
	return fmt.Errorf("%w: %s", ErrUnanswered, message(err))
}

// toRead says of an error whether it is an answer to somebody who lists.
func toRead(err error) bool { return err == nil || errors.Is(err, ErrForbidden) }

// toAny says it to somebody who gets or writes an object: that it is not there, not
// as it was or not as it must be is an answer.
func toAny(err error) bool {
	var status apierrors.APIStatus
	for _, class := range []error{ErrForbidden, ErrNotFound, ErrExists, ErrConflict} {
		if errors.Is(err, class) {
			return true
		}
	}
	failed := errors.Is(err, ErrBusy) || errors.Is(err, ErrUnauthenticated) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &status) && status.Status().Code >= 500
	return !failed
}
