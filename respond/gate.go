package respond

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// errHeld says that a guard stands against a write that was about to be sent.
var errHeld = errors.New("held back")

// gate is the cluster as an effect may write to it: what its plan lists and
// nothing else, while nothing holds everything back, and while it has its place
// in the budgets. What undoes goes by no gate.
type gate struct {
	action.Cluster
	// guards are nil for an effect that has landed.
	guards *guard.Set
	check  guard.Check
	// tidies are the names of what the action may take away again of its own.
	tidies []action.Tidy
}

// Apply sends a write that the plan lists.
func (g *gate) Apply(ctx context.Context, w event.Write, o kube.ApplyOptions) (uid, resourceVersion string, err error) {
	if err := g.pass(ctx, w, o.DryRun); err != nil {
		return "", "", err
	}
	return g.Cluster.Apply(ctx, w, o)
}

// Command runs a command that the plan lists.
func (g *gate) Command(ctx context.Context, w event.Write, s kube.Streams) error {
	if err := g.pass(ctx, w, false); err != nil {
		return err
	}
	return g.Cluster.Command(ctx, w, s)
}

// Call sends a request that the plan lists.
func (g *gate) Call(ctx context.Context, w event.Write, most int64) ([]byte, error) {
	if err := g.pass(ctx, w, false); err != nil {
		return nil, err
	}
	return g.Cluster.Call(ctx, w, most)
}

// Pass says why a write may not be sent now that does not go to the cluster.
func (g *gate) Pass(ctx context.Context, w event.Write) error { return g.pass(ctx, w, false) }

// pass says why a write may not be sent now.
func (g *gate) pass(ctx context.Context, w event.Write, dry bool) error {
	if !dry && !g.listed(w) {
		return fmt.Errorf("%s %s %s: %w: the plan does not list it", w.Verb, w.Resource, w.Name, action.ErrRefused)
	}
	if g.guards == nil {
		return nil // it has landed already
	}
	if verdicts, stopped := g.guards.Stopped(ctx, g.check, nil); stopped {
		_, reason := Strongest(verdicts)
		return fmt.Errorf("%w: %s", errHeld, reason)
	}
	kept, err := g.guards.Kept(ctx, g.check)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errHeld, err)
	case !kept:
		return fmt.Errorf("%w: its place in the budgets is gone", errHeld)
	}
	return nil
}

// listed says whether the plan has the write, to the byte, or it takes away
// something of the action's own.
func (g *gate) listed(w event.Write) bool {
	for _, p := range g.check.Plan.Writes {
		body := p.Body
		p.Body = w.Body
		if reflect.DeepEqual(p, w) && bytes.Equal(body, w.Body) {
			return true
		}
	}
	for _, t := range g.tidies {
		if w.Verb == "delete" && w.Group == t.Group && w.Resource == t.Resource && w.Name == t.Name && w.Namespace == g.check.Plan.Target.Namespace {
			return true
		}
	}
	return false
}

// Answered is what the cluster behind still knows, see package kube.
func (g *gate) Answered(namespace, name, resourceVersion string) (*corev1.Pod, bool) {
	if a, ok := g.Cluster.(interface {
		Answered(namespace, name, resourceVersion string) (*corev1.Pod, bool)
	}); ok {
		return a.Answered(namespace, name, resourceVersion)
	}
	return nil, false
}

// KnownPolicies are what the cluster behind knows by a watch, see package kube.
func (g *gate) KnownPolicies(namespace string) ([]networkingv1.NetworkPolicy, bool) {
	if k, ok := g.Cluster.(interface {
		KnownPolicies(namespace string) ([]networkingv1.NetworkPolicy, bool)
	}); ok {
		return k.KnownPolicies(namespace)
	}
	return nil, false
}
