package guard

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Limits are the numbers of the guards, as a config sets them (respond.guards).
type Limits struct {
	Budgets  Budgets  `yaml:"budgets"`
	Health   Health   `yaml:"health"`
	Breaker  Breaker  `yaml:"breaker"`
	Steering Steering `yaml:"steering"`
	Eyes     Eyes     `yaml:"eyes"`
	// Freshness is how old an event may be to be acted on without being asked.
	Freshness conf.Duration `yaml:"freshness"`
	// Cooldown is how soon a playbook acts on the same target again because of
	// the same rule; 0 is at once.
	Cooldown conf.Duration `yaml:"cooldown"`
	// Canary is how long the first act of a playbook's version is watched
	// before the next; 0 watches none.
	Canary conf.Duration `yaml:"canary"`
	// Hold is how long an effect may last before it is undone or renewed.
	Hold conf.Duration `yaml:"hold"`
	// Release is how many people it takes to end a pause: one or two.
	Release int `yaml:"release"`
}

// Budgets bound what may stand at a time, and how fast it comes. What is over
// waits for people; what they approve counts too, and may be over.
type Budgets struct {
	// Pods is how many may be quarantined, PodsPerNamespace how many in one.
	Pods             int `yaml:"pods"`
	PodsPerNamespace int `yaml:"pods_per_namespace"`
	// Replicas is the share of one controller's ready replicas, and the last one
	// is never taken; 1 lets all be taken.
	Replicas float64 `yaml:"replicas"`
	// Nodes is the share of the schedulable workers that may be cordoned (one
	// at least), NodesLeft how many must stay schedulable.
	Nodes     float64 `yaml:"nodes"`
	NodesLeft int     `yaml:"nodes_left"`
	// EffectsPerMinute and Burst bound how fast new effects begin.
	EffectsPerMinute int `yaml:"effects_per_minute"`
	Burst            int `yaml:"burst"`
	// RunsPerHour is how many runs of one playbook act.
	RunsPerHour int `yaml:"runs_per_hour"`
	// Share is how much of a budget one source, namespace or node may use (one
	// place at least).
	Share float64 `yaml:"share"`
	// Reserve is how much of a budget incidents of medium priority or less
	// leave to graver ones, and those of high priority leave a third of that to
	// critical ones.
	Reserve float64 `yaml:"reserve"`
}

// Health says when a cluster is in no state for more effects.
type Health struct {
	// NotReady is the share of nodes, Errors that of failed requests to the
	// API server within a minute, Lag how late findings may be taken.
	NotReady float64       `yaml:"not_ready"`
	Errors   float64       `yaml:"errors"`
	Lag      conf.Duration `yaml:"lag"`
}

// Breaker says when an action is not done any more without people.
type Breaker struct {
	// Failures is how many within a minute open it.
	Failures int `yaml:"failures"`
}

// Steering says when one actor hits too many targets by way of the responder.
type Steering struct {
	// Targets is how many different ones because of one actor, within an hour.
	Targets int `yaml:"targets"`
}

// DefaultLimits are the shipped ones.
func DefaultLimits() Limits {
	return Limits{
		Budgets: Budgets{
			Pods: 10, PodsPerNamespace: 3, Replicas: 0.5, Nodes: 0.1, NodesLeft: 2,
			EffectsPerMinute: 10, Burst: 5, RunsPerHour: 20, Share: 0.3, Reserve: 0.3,
		},
		Health:    Health{NotReady: 0.33, Errors: 0.2, Lag: conf.Duration(time.Minute)},
		Breaker:   Breaker{Failures: 5},
		Steering:  Steering{Targets: 5},
		Eyes:      Eyes{Need: 2, Pods: 5, Production: []string{"environment=production", "environment=prod", "env=production", "env=prod"}},
		Freshness: conf.Duration(10 * time.Minute),
		Cooldown:  conf.Duration(15 * time.Minute),
		Canary:    conf.Duration(2 * time.Minute),
		Hold:      conf.Duration(24 * time.Hour),
		Release:   2,
	}
}

// Unlimited are limits that nothing reaches, for tests of something else.
func Unlimited() Limits {
	const most = 1_000_000
	l := DefaultLimits()
	l.Budgets = Budgets{
		Pods: most, PodsPerNamespace: most, Replicas: 1, Nodes: 1, EffectsPerMinute: most, Burst: most, RunsPerHour: most, Share: 1,
	}
	l.Steering.Targets, l.Breaker.Failures, l.Canary, l.Cooldown, l.Release = most, most, 0, 0, 1
	l.Eyes = Eyes{Need: 1, Pods: most}
	return l
}

// Check says which limits make no sense, each by its key.
func (l Limits) Check() error {
	var errs []error
	count := func(key string, n, least, most int) {
		if n < least || n > most {
			errs = append(errs, fmt.Errorf("%s: %d is not %d to %d", key, n, least, most))
		}
	}
	share := func(key string, x float64) {
		if !(x > 0 && x <= 1) { // also what is no number
			errs = append(errs, fmt.Errorf("%s: %v is no share: more than 0, 1 at most", key, x))
		}
	}
	within := func(key string, d conf.Duration, least, most time.Duration) {
		if d.Std() < least || d.Std() > most {
			errs = append(errs, fmt.Errorf("%s: %s is not %s to %s", key, d.Std(), least, most))
		}
	}
	const most = 1_000_000
	b := l.Budgets
	count("budgets.pods", b.Pods, 1, most)
	count("budgets.pods_per_namespace", b.PodsPerNamespace, 1, most)
	if b.PodsPerNamespace > b.Pods {
		errs = append(errs, fmt.Errorf("budgets.pods_per_namespace: %d is more than the %d pods of the cluster", b.PodsPerNamespace, b.Pods))
	}
	share("budgets.replicas", b.Replicas)
	share("budgets.nodes", b.Nodes)
	count("budgets.nodes_left", b.NodesLeft, 0, most)
	count("budgets.effects_per_minute", b.EffectsPerMinute, 1, most)
	count("budgets.burst", b.Burst, 1, most)
	count("budgets.runs_per_hour", b.RunsPerHour, 1, most)
	share("budgets.share", b.Share)
	if !(b.Reserve >= 0 && b.Reserve < 1) {
		errs = append(errs, fmt.Errorf("budgets.reserve: %v is no share: 0 at least, less than 1", b.Reserve))
	}
	share("health.not_ready", l.Health.NotReady)
	share("health.errors", l.Health.Errors)
	within("health.lag", l.Health.Lag, time.Second, time.Hour)
	count("breaker.failures", l.Breaker.Failures, 1, most)
	count("steering.targets", l.Steering.Targets, 1, most)
	count("eyes.need", l.Eyes.Need, 1, 10)
	count("eyes.pods", l.Eyes.Pods, 0, most)
	for _, label := range l.Eyes.Production {
		if key, value, found := strings.Cut(label, "="); !found || key == "" || value == "" {
			errs = append(errs, fmt.Errorf("eyes.production: %q is no KEY=VALUE", label))
		}
	}
	within("freshness", l.Freshness, time.Second, 24*time.Hour)
	within("cooldown", l.Cooldown, 0, lately)
	within("canary", l.Canary, 0, time.Hour)
	within("hold", l.Hold, time.Minute, 24*time.Hour)
	count("release", l.Release, 1, 2)
	return errors.Join(errs...)
}
