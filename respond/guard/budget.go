package guard

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The budgets of effects that last.
const (
	BudgetPods  = "pods"
	BudgetNodes = "nodes"
	// BudgetDrills is what drills are counted in, whatever they do: they take
	// nothing from what an attack may need.
	BudgetDrills = "drills"
)

func init() {
	register(Kind{
		Name:  "budget",
		Doc:   "Bounds how many pods are quarantined and nodes cordoned at a time, by namespace, controller, node and source too. What is over asks.",
		Keeps: true,
		New:   func(o Options) Guard { return budget{o.Cluster, o.Limits.Budgets, o.Limits.Eyes} },
	})
}

type budget struct {
	cluster Cluster
	limits  Budgets
	eyes    Eyes
}

func (g budget) count(_ Check, d event.Decision, _ string) int { return overBudget(g.eyes, d) }

// Judge counts what stands. The cluster is only asked when there is room.
func (g budget) Judge(ctx context.Context, c Check) (event.Decision, string) {
	if c.Run.Drill {
		return drills(c)
	}
	switch c.Budget {
	case BudgetPods:
		return g.pods(ctx, c)
	case BudgetNodes:
		return g.nodes(ctx, c)
	}
	return event.Pass, "counted in no budget"
}

// slot is one count and its bound.
type slot struct {
	what  string
	bound int
	match func(Entry) bool
}

// full says which of the slots are taken. Others' effects on the same target
// take no place of their own: it is one pod or node.
func (c Check) full(limits Budgets, slots []slot) string {
	if c.book.count(func(e Entry) bool { return e.stands() && e.Budget == c.Budget && e.Target == c.Plan.Target.UID }) > 0 {
		return ""
	}
	for _, p := range slots {
		targets := c.book.distinct(func(e Entry) string {
			if e.stands() && e.Budget == c.Budget && p.match(e) {
				return e.Target
			}
			return ""
		})
		if targets >= p.bound {
			return fmt.Sprintf("%d of %d %s", targets, p.bound, p.what)
		}
		if most := limits.most(p.bound, c.Run); targets >= most {
			return fmt.Sprintf("%d of %d %s, and the last %d are kept for graver incidents", targets, p.bound, p.what, p.bound-most)
		}
	}
	return ""
}

// share is how much of a budget one source, namespace or node may use.
func (b Budgets) share(whole int) int { return max(1, int(math.Ceil(float64(whole)*b.Share))) }

func (g budget) pods(ctx context.Context, c Check) (event.Decision, string) {
	own := c.entry()
	part := g.limits.share(g.limits.Pods)
	full := c.full(g.limits, []slot{
		{"pods are quarantined", g.limits.Pods, func(Entry) bool { return true }},
		{"pods of namespace " + own.Namespace, g.limits.PodsPerNamespace, func(e Entry) bool { return e.Namespace == own.Namespace }},
		{"pods on node " + own.Node, part, func(e Entry) bool { return own.Node != "" && e.Node == own.Node }},
		{"pods because of source " + string(own.Source), part, func(e Entry) bool { return e.Source == own.Source }},
	})
	if full != "" {
		return event.Ask, full
	}
	if decision, reason := g.replicas(ctx, c); decision != event.Pass {
		return decision, reason
	}
	n := c.book.distinct(func(e Entry) string {
		if e.stands() && e.Budget == BudgetPods {
			return e.Target
		}
		return ""
	})
	return event.Pass, fmt.Sprintf("%d of %d pods are quarantined", n, g.limits.Pods)
}

// settled is how long a controller's count of ready replicas may take to show
// what was taken from it.
const settled = 30 * time.Second

// replicas keeps a workload alive: no more than a share of its ready replicas
// at a time, and never the last. (Quarantine takes the pod away first; the
// controller makes another only then.)
func (g budget) replicas(ctx context.Context, c Check) (event.Decision, string) {
	if g.limits.Replicas >= 1 {
		return event.Pass, ""
	}
	t := c.Plan.Target
	pod, err := g.cluster.Pod(ctx, t.Namespace, t.Name)
	if err != nil {
		return event.Wait, fmt.Sprintf("the pod's controller can't be read: %v", err)
	}
	owner, err := g.cluster.Owner(ctx, pod)
	if err != nil {
		return event.Wait, fmt.Sprintf("the pod's controller can't be read: %v", err)
	}
	if owner.Selector == nil {
		return event.Pass, "no controller counts on the pod"
	}
	held, young := 0, 0
	for _, e := range c.book.Entries {
		if e.stands() && e.Budget == BudgetPods && e.Controller == owner.UID && e.Target != t.UID {
			held++
			if c.Now.Sub(e.Taken) < settled {
				young++
			}
		}
	}
	left := owner.Ready - young
	if ready(pod) {
		left--
	}
	name := fmt.Sprintf("%s %s", owner.Kind, owner.Name)
	switch {
	case left < 1:
		return event.Ask, fmt.Sprintf("it is the last ready replica of %s", name)
	case float64(held+1) > g.limits.Replicas*float64(owner.Ready):
		return event.Ask, fmt.Sprintf("%d more of the %d ready replicas of %s are quarantined, more than a share of %v", held, owner.Ready, name, g.limits.Replicas)
	}
	return event.Pass, ""
}

// keep notes whose replica the pod is.
func (g budget) keep(ctx context.Context, c Check, e *Entry) {
	if c.Budget != BudgetPods || c.Run.Drill {
		return
	}
	pod, err := g.cluster.Pod(ctx, c.Plan.Target.Namespace, c.Plan.Target.Name)
	if err != nil {
		return
	}
	if owner, err := g.cluster.Owner(ctx, pod); err == nil {
		e.Controller = owner.UID
	}
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func (g budget) nodes(ctx context.Context, c Check) (event.Decision, string) {
	nodes, err := g.cluster.Nodes(ctx)
	if err != nil {
		return event.Wait, fmt.Sprintf("the nodes can't be read: %v", err)
	}
	own, schedulable, workers := c.entry(), 0, 0
	ours := func(n corev1.Node) bool {
		return c.book.count(func(e Entry) bool { return e.stands() && e.Budget == BudgetNodes && e.Target == string(n.UID) }) > 0
	}
	for _, n := range nodes {
		switch {
		case controlPlane(&n):
		case ours(n):
			workers++ // one that is about to be cordoned counts as if it were
		case !n.Spec.Unschedulable:
			workers++
			schedulable++
		}
	}
	bound := max(1, int(math.Floor(float64(workers)*g.limits.Nodes)))
	full := c.full(g.limits, []slot{
		{fmt.Sprintf("nodes are cordoned of %d workers", workers), bound, func(Entry) bool { return true }},
		{"nodes because of source " + string(own.Source), g.limits.share(bound), func(e Entry) bool { return e.Source == own.Source }},
	})
	switch {
	case full != "":
		return event.Ask, full
	case schedulable-1 < g.limits.NodesLeft:
		return event.Ask, fmt.Sprintf("%d schedulable workers would be left, fewer than %d", max(schedulable-1, 0), g.limits.NodesLeft)
	}
	return event.Pass, fmt.Sprintf("%d schedulable workers stay", schedulable-1)
}
