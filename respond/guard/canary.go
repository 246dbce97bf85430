package guard

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:  "canary",
		Doc:   "The first act of a playbook's version is watched for a while before the next: what the target belongs to must be well. What people approved does not wait.",
		Keeps: true,
		New:   func(o Options) Guard { return canary{o.Cluster, o.Limits.Canary.Std()} },
	})
}

type canary struct {
	cluster Cluster
	watch   time.Duration
}

func (g canary) Judge(ctx context.Context, c Check) (event.Decision, string) {
	first := c.book.Canaries[c.Run.Version]
	switch {
	case g.watch == 0, c.Run.Drill:
		return event.Pass, "not watched"
	case first == nil:
		return event.Pass, "the first act of this version"
	case c.Approved:
		return event.Pass, "approved"
	case first.Run == c.Run.ID && first.Target.UID == c.Plan.Target.UID:
		return event.Pass, "belongs to the first act of this version"
	case c.Now.Sub(first.Since) < g.watch:
		return event.Wait, fmt.Sprintf("the first act of this version, on %s, is watched until %s", first.Target, first.Since.Add(g.watch).UTC().Format(time.RFC3339))
	case first.Well:
		return event.Pass, "the first act of this version did no harm"
	}
	ill, err := g.health(ctx, first)
	switch {
	case err != nil:
		return event.Wait, fmt.Sprintf("how the first act of this version went can't be read: %v", err)
	case ill != "":
		return event.Ask, "after the first act of this version: " + ill
	}
	return event.Pass, "the first act of this version did no harm"
}

// health says what is wrong with what the first target belongs to.
func (g canary) health(ctx context.Context, first *Canary) (string, error) {
	if first.Target.IsNode() {
		node, err := g.cluster.Node(ctx, first.Target.Name)
		if err != nil {
			return "", err
		}
		if !nodeReady(node) {
			return "node " + node.Name + " is not ready", nil
		}
		return "", nil
	}
	if first.Owner == nil {
		return "", nil
	}
	// The pod may be gone, or no longer its owner's: a pod that only names the
	// owner is enough to ask.
	owner, err := g.cluster.Owner(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: first.Target.Namespace, OwnerReferences: []metav1.OwnerReference{*first.Owner},
	}})
	if err != nil {
		return "", err
	}
	// One may be missing: a StatefulSet can't replace the one that was taken.
	if owner.Selector != nil && owner.Ready < first.Replicas-1 {
		return fmt.Sprintf("%s %s has %d ready replicas, and had %d", owner.Kind, owner.Name, owner.Ready, first.Replicas), nil
	}
	return "", nil
}

// keep notes the first act of a version, and that it did no harm.
func (g canary) keep(ctx context.Context, c Check, _ *Entry) {
	if g.watch == 0 || c.Run.Drill {
		return
	}
	if first := c.book.Canaries[c.Run.Version]; first != nil {
		if c.Now.Sub(first.Since) >= g.watch && !first.Well {
			ill, err := g.health(ctx, first)
			first.Well = err == nil && ill == ""
		}
		return
	}
	first := &Canary{Playbook: c.Run.Playbook, Run: c.Run.ID, Target: c.Plan.Target, Since: c.Now}
	first.Target.Labels = nil
	if first.Target.IsPod() {
		if pod, err := g.cluster.Pod(ctx, first.Target.Namespace, first.Target.Name); err == nil {
			first.Owner = metav1.GetControllerOf(pod)
			if owner, err := g.cluster.Owner(ctx, pod); err == nil {
				first.Replicas = owner.Ready
			}
		}
	}
	if c.book.Canaries == nil {
		c.book.Canaries = map[string]*Canary{}
	}
	c.book.Canaries[c.Run.Version] = first
}
