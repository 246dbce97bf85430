package console

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/kube"
)

const (
	// believed is how long the cluster's answer about a token is.
	believed = 15 * time.Second
	// maxRemembered bounds each memory of answers; past it all is forgotten.
	maxRemembered = 4096
)

// people finds out whose tokens are whose. Tokens are remembered by their hash.
// It may be used concurrently.
type people struct {
	reviewer Reviewer
	now      func() time.Time
	mu       sync.Mutex
	known    map[[sha256.Size]byte]answer
}

type answer struct {
	user kube.User
	at   time.Time
}

func newPeople(r Reviewer, now func() time.Time) *people {
	return &people{reviewer: r, now: now, known: map[[sha256.Size]byte]answer{}}
}

// who asks the cluster whose token it is, at most four times a minute for each. An
// error that is [kube.ErrUnauthenticated] says that it is nobody's.
func (p *people) who(ctx context.Context, token string) (kube.User, error) {
	if p.reviewer == nil {
		return kube.User{}, Problem{503, "There is no cluster that could say who you are."}
	}
	sum := sha256.Sum256([]byte(token))
	p.mu.Lock()
	known, ok := p.known[sum]
	p.mu.Unlock()
	if ok && p.now().Sub(known.at) < believed {
		return known.user, nil
	}
	at := p.now()
	user, err := p.reviewer.ReviewToken(ctx, token)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if errors.Is(err, kube.ErrUnauthenticated) {
			delete(p.known, sum)
		}
		return kube.User{}, err
	}
	if len(p.known) >= maxRemembered {
		clear(p.known)
	}
	p.known[sum] = answer{user, at}
	return user, nil
}
