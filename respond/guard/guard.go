// Package guard holds what stands between a plan and its effect. A guard looks
// at a plan and says pass, ask, wait or deny, and why. Guards are asked when
// the plan is made, and again immediately before each effect.
//
// Some guards go by what has been done lately: budgets, cooldown, canary,
// steering, breaker. That stands in the [Ledger], one record that is written by
// compare-and-set before an intent is: of any number of responders only one
// gets the last place.
//
// Adding a guard is one file: a type, and its registration.
package guard

import (
	"context"
	"reflect"
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
	// Reversible says that the effect is undone after Hold.
	Reversible bool
	Hold       time.Duration
	// Budget is what the effect is counted in, see action.Kind.
	Budget string
	// Would says of a run that only observes that the guards are to say what they
	// would of one that acts. No place is taken for it.
	Would bool
	// Approved says that people said yes to just this plan, Yes how many.
	Approved bool
	Yes      int
	Now      time.Time
	// Matches says whether the playbook is for the run's finding still if its
	// target is now as it is given; nil asks nothing.
	Matches func(live event.Ref) (bool, error)
	// Losses are what the plan takes from those who decide, those first of whom too
	// few are left.
	Losses []Loss

	// book is what the ledger holds. It is nil where none is kept.
	book *Book
	// unread is why it could not be read.
	unread error
}

// Key names the step's effect: RUN/STEP.
func (c Check) Key() string {
	if c.Step < 0 || c.Step >= len(c.Run.Steps) {
		return c.Run.ID + "/"
	}
	return c.Run.ID + "/" + c.Run.Steps[c.Step].Name
}

// acts says whether something is to be written, now or later, or would be.
func (c Check) acts() bool { return c.Effect && (c.Would || !c.observes()) }

func (c Check) observes() bool { return c.Run.Mode == event.ModeObserve }

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
	// Ledger is where effects are counted; nil where nothing is done (a
	// replay), and in tests of something else.
	Ledger *Ledger
	// Switch is another way to pause, besides Control; nil is none.
	Switch Switch
	// Drill says whether network policies are enforced; nil is that nobody knows.
	Drill Drill
	// Limits are the operators' numbers; the zero value is [DefaultLimits].
	Limits Limits
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
	// Stops says that it can hold everything back, and that it takes little to
	// tell.
	Stops bool
	// Keeps says that it goes by what the ledger holds.
	Keeps bool
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
	kinds  []Kind
	guards []Guard
	ledger *Ledger
	limits Limits
}

// New makes every guard of the catalogue.
func New(o Options) *Set {
	o.Namespace = Home(o)
	if reflect.ValueOf(o.Limits).IsZero() {
		o.Limits = DefaultLimits()
	}
	s := &Set{kinds: Kinds(), ledger: o.Ledger, limits: o.Limits}
	for _, k := range s.kinds {
		s.guards = append(s.guards, k.New(o))
	}
	return s
}

// Home is Firebreak's own namespace: where it says it is, or where its service
// account is. It is empty outside a cluster.
func Home(o Options) string {
	if o.Namespace != "" {
		return o.Namespace
	}
	account, ok := strings.CutPrefix(o.Self, "system:serviceaccount:")
	if !ok {
		return ""
	}
	namespace, _, _ := strings.Cut(account, ":")
	return namespace
}

// Judge asks every guard, in the order of their names. It writes nothing.
func (s *Set) Judge(ctx context.Context, c Check) []event.Verdict {
	if s.ledger != nil && c.acts() {
		c.book, c.unread = s.ledger.recent(ctx)
	}
	verdicts := make([]event.Verdict, 0, len(s.guards))
	for i := range s.guards {
		verdicts = append(verdicts, s.ask(ctx, i, c))
	}
	return verdicts
}

func (s *Set) ask(ctx context.Context, i int, c Check) event.Verdict {
	v := event.Verdict{Guard: s.kinds[i].Name}
	if s.kinds[i].Keeps {
		switch {
		case !c.acts():
			v.Decision, v.Reason = event.Pass, "nothing is written"
			return v
		case c.unread != nil:
			v.Decision, v.Reason = event.Wait, "what was done lately can't be read: "+c.unread.Error()
			return v
		case c.book == nil:
			v.Decision, v.Reason = event.Pass, "nothing is counted here"
			return v
		}
	}
	v.Decision, v.Reason = s.guards[i].Judge(ctx, c)
	if c.Run.Drill && v.Decision == event.Ask {
		v.Decision, v.Reason = event.Deny, "a drill asks nobody: "+v.Reason
	}
	if g, ok := s.guards[i].(counter); ok {
		v.Need = g.count(c, v.Decision, v.Reason)
	}
	return v
}

// Stopped asks only the guards that can hold everything back. When one does, it
// gives the verdicts of before with the new ones in their place; then a plan
// need not be made again to know that it waits.
func (s *Set) Stopped(ctx context.Context, c Check, before []event.Verdict) (verdicts []event.Verdict, stopped bool) {
	verdicts = before
	for i, k := range s.kinds {
		if !k.Stops {
			continue
		}
		v := s.ask(ctx, i, c)
		stopped = stopped || v.Decision == event.Wait
		verdicts = replace(verdicts, v)
	}
	return verdicts, stopped
}

// replace puts a verdict in the place of the same guard's, in a copy.
func replace(verdicts []event.Verdict, v event.Verdict) []event.Verdict {
	verdicts = slices.Clone(verdicts)
	if at := slices.IndexFunc(verdicts, func(old event.Verdict) bool { return old.Guard == v.Guard }); at >= 0 {
		verdicts[at] = v
		return verdicts
	}
	return append(verdicts, v)
}

// stands says whether nothing is left against a plan: a question is answered
// when as many people said yes to it as it takes.
func stands(verdicts []event.Verdict, c Check) bool {
	for _, v := range verdicts {
		if v.Decision != event.Pass && !(v.Decision == event.Ask && c.Approved) {
			return false
		}
	}
	return !c.Approved || c.Yes >= event.People(verdicts)
}
