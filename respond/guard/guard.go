// Package guard holds what stands between a plan and its effect. A guard looks
// at a plan and says pass, ask, wait or deny, and why. Guards are asked when
// the plan is made, and again immediately before each effect.
//
// Adding a guard is one file: a type, and its registration.
package guard

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Check is what a guard is asked about. Guards only read it.
type Check struct {
	Run  event.Run
	Plan event.Plan
	// Step is the step's place in the run's steps. What it is about need not be
	// the run's target; see [event.Run.StepTarget].
	Step int
	// Effect says that the step changes something; otherwise it only tells
	// people.
	Effect bool
	Now    time.Time
}

// Guard judges plans. Implementations may be called concurrently. A guard that
// can't tell says so with the decision that is safe, never with an error.
type Guard interface {
	Judge(ctx context.Context, c Check) (event.Decision, string)
}

// Control is the operators' state that guards read before each effect.
type Control interface {
	// Paused says whether effects are held back, and by whom.
	Paused(ctx context.Context) (paused bool, by string, err error)
	// Ceiling is the mode that no playbook may exceed.
	Ceiling(ctx context.Context) (event.Mode, error)
}

// Options are what guards know of the place that they guard.
type Options struct {
	Control Control
	Cluster Cluster
	// Self is the service's own Kubernetes user, Namespace and Node where it
	// runs; empty when it runs outside a cluster.
	Self, Namespace, Node string
	// Namespaces and Nodes are protected by configuration, besides what is
	// always protected.
	Namespaces, Nodes []string
}

// Kind describes one guard of the catalogue.
type Kind struct {
	Name string
	// Doc is one sentence: what it judges, and how.
	Doc string
	// Stops says that it can hold everything back, and reads nothing of the
	// cluster to tell.
	Stops bool
	New   func(Options) Guard
}

var catalogue []Kind

func register(k Kind) { catalogue = append(catalogue, k) }

// Kinds lists the catalogue by name.
func Kinds() []Kind {
	kinds := slices.Clone(catalogue)
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return kinds
}

// Set is all guards, ready to judge. It may be used concurrently.
type Set struct {
	names  []string
	stops  []bool
	guards []Guard
}

// New makes every guard of the catalogue.
func New(o Options) *Set {
	if o.Namespace == "" {
		// A service account's name says where it is.
		if account, ok := strings.CutPrefix(o.Self, "system:serviceaccount:"); ok {
			o.Namespace, _, _ = strings.Cut(account, ":")
		}
	}
	s := &Set{}
	for _, k := range Kinds() {
		s.names = append(s.names, k.Name)
		s.stops = append(s.stops, k.Stops)
		s.guards = append(s.guards, k.New(o))
	}
	return s
}

// Judge asks every guard, in the order of their names.
func (s *Set) Judge(ctx context.Context, c Check) []event.Verdict {
	verdicts := make([]event.Verdict, 0, len(s.guards))
	for i, g := range s.guards {
		decision, reason := g.Judge(ctx, c)
		verdicts = append(verdicts, event.Verdict{Guard: s.names[i], Decision: decision, Reason: reason})
	}
	return verdicts
}

// Stopped asks only the guards that can hold everything back. When one does, it
// gives the verdicts of before with the new ones in their place; then a plan
// need not be made again to know that it waits.
func (s *Set) Stopped(ctx context.Context, c Check, before []event.Verdict) (verdicts []event.Verdict, stopped bool) {
	verdicts = slices.Clone(before)
	for i, g := range s.guards {
		if !s.stops[i] {
			continue
		}
		v := event.Verdict{Guard: s.names[i]}
		v.Decision, v.Reason = g.Judge(ctx, c)
		stopped = stopped || v.Decision == event.Wait
		if at := slices.IndexFunc(verdicts, func(old event.Verdict) bool { return old.Guard == v.Guard }); at >= 0 {
			verdicts[at] = v
		} else {
			verdicts = append(verdicts, v)
		}
	}
	return verdicts, stopped
}
