package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// Account is somebody in Slack: only ids count, never a name that is shown.
type Account struct {
	// Team is the workspace's id, Enterprise the organisation's, if it is in
	// one, User the person's.
	Team, Enterprise, User string
}

// String reads TEAM/USER.
func (a Account) String() string { return a.Team + "/" + a.User }

// Person says who a Slack account is in the words of the cluster.
type Person struct {
	// Slack is TEAM/USER.
	Slack string `yaml:"slack,required"`
	// User and Groups are those of Kubernetes. A person without a user is known
	// as slack:TEAM/USER, and may what the config gives the groups; nobody but
	// the config grants groups here.
	User   string   `yaml:"user"`
	Groups []string `yaml:"groups"`
}

// errStranger says that an account is nobody's that we know.
var errStranger = errors.New("you are not among the people that Firebreak's config knows")

// profiles asks Slack about accounts. [Client] is one.
type profiles interface {
	// Profile is an error unless the account is a full member's.
	Profile(ctx context.Context, a Account) error
}

// maxProfileAge is how long Slack's answer about an account is believed.
const maxProfileAge = 5 * time.Minute

// people finds out who accounts are. It may be used concurrently.
type people struct {
	teams   []string
	known   map[string]kube.User
	ask     profiles
	now     func() time.Time
	mu      sync.Mutex
	checked map[Account]time.Time
}

func newPeople(c Config, ask profiles, now func() time.Time) *people {
	p := &people{teams: c.Teams, known: map[string]kube.User{}, ask: ask, now: now, checked: map[Account]time.Time{}}
	for _, one := range c.People {
		user := kube.User{Name: one.User, Groups: slices.Clone(one.Groups)}
		if user.Name == "" {
			user.Name = unmapped + one.Slack
		}
		p.known[one.Slack] = user
	}
	return p
}

// unmapped begins the names of people without a user in the cluster.
const unmapped = "slack:"

// person is who an account is, or an error that can be told to them. What can't
// be found out now counts as no.
func (p *people) person(ctx context.Context, a Account) (kube.User, error) {
	if !slices.Contains(p.teams, a.Team) && (a.Enterprise == "" || !slices.Contains(p.teams, a.Enterprise)) {
		return kube.User{}, errors.New("your workspace is not one of those that Firebreak's config names")
	}
	user, ok := p.known[a.String()]
	if !ok {
		return kube.User{}, errStranger
	}
	p.mu.Lock()
	at, seen := p.checked[a]
	p.mu.Unlock()
	if seen && p.now().Sub(at) < maxProfileAge {
		return user, nil
	}
	if err := p.ask.Profile(ctx, a); err != nil {
		return kube.User{}, fmt.Errorf("look at the account %s: %w", a, err)
	}
	p.mu.Lock()
	p.checked[a] = p.now() // as many as people in the config, at most
	p.mu.Unlock()
	return user, nil
}
