package guard

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "eyes",
		Doc:  "Says how many people a yes takes: more for nodes, many pods, what can't be undone, evicts or runs something in a pod, and for production. It asks nobody by itself.",
		New:  func(o Options) Guard { return eyes{o.Cluster, o.Limits.Eyes} },
	})
}

// Eyes says what a yes takes more than one person for.
type Eyes struct {
	// Need is how many people: one asks for no more than the playbook does.
	Need int `yaml:"need"`
	// Pods is how many one run may hit with one person's yes.
	Pods int `yaml:"pods"`
	// Production are labels, KEY=VALUE, that mark pods and namespaces.
	Production []string `yaml:"production"`
}

type eyes struct {
	cluster Cluster
	limits  Eyes
}

// counter is a guard that says how many people a yes takes.
type counter interface {
	Guard
	// count is how many, after the guard has judged; 0 is no more than the
	// playbook says.
	count(c Check, d event.Decision, reason string) int
}

// alone is the reason for which one person is enough.
const alone = "one person is enough"

func (g eyes) Judge(ctx context.Context, c Check) (event.Decision, string) {
	if !c.Effect || g.limits.Need < 2 {
		return event.Pass, alone
	}
	if why := g.blast(ctx, c); why != "" {
		return event.Pass, fmt.Sprintf("a yes takes %d people: %s", g.limits.Need, why)
	}
	return event.Pass, alone
}

func (g eyes) count(_ Check, _ event.Decision, reason string) int {
	if reason == alone {
		return 0
	}
	return g.limits.Need
}

// blast says what is grave about a plan; empty is nothing.
func (g eyes) blast(ctx context.Context, c Check) string {
	t := c.Plan.Target
	switch {
	case t.IsNode():
		return "it is about a node"
	case !c.Reversible:
		return "it can't be undone"
	}
	for _, w := range c.Plan.Writes {
		switch {
		case w.Resource == "nodes":
			return "it writes to a node"
		case w.Resource == "pods" && w.Verb == "delete":
			return "it deletes a pod"
		case w.Resource == "pods" && slices.Contains([]string{"eviction", "exec", "attach", "ephemeralcontainers"}, w.Subresource):
			return "it is " + w.Subresource + " of a pod"
		}
	}
	if n := c.pods(); n > g.limits.Pods {
		return fmt.Sprintf("the run is about %d pods, more than %d", n, g.limits.Pods)
	}
	return g.production(ctx, t)
}

// pods is how many different pods this step and those with the same action are
// about.
func (c Check) pods() int {
	seen := map[string]bool{}
	for _, t := range c.Plan.Also {
		if t.IsPod() {
			seen[t.UID] = true
		}
	}
	if c.Step < 0 || c.Step >= len(c.Run.Steps) {
		return len(seen)
	}
	for i, s := range c.Run.Steps {
		if t := c.Run.StepTarget(i); s.Action == c.Run.Steps[c.Step].Action && s.State != event.StepExpanded && t.IsPod() {
			seen[t.UID] = true
		}
	}
	return len(seen)
}

// production says which label marks the target or its namespace. What can't be
// read counts as marked.
func (g eyes) production(ctx context.Context, t event.Ref) string {
	if t.Space() == "" || len(g.limits.Production) == 0 {
		return ""
	}
	ns, err := g.cluster.Namespace(ctx, t.Space())
	if err != nil {
		return "the labels of its namespace can't be read"
	}
	if label := g.marked(ns.Labels); label != "" {
		return "its namespace has the label " + label
	}
	if !t.IsPod() {
		return ""
	}
	pod, err := g.cluster.Pod(ctx, t.Namespace, t.Name)
	if err != nil {
		return "the labels of the pod can't be read"
	}
	if label := g.marked(pod.Labels); label != "" {
		return "the pod has the label " + label
	}
	return ""
}

func (g eyes) marked(labels map[string]string) string {
	for _, label := range g.limits.Production {
		key, value, _ := strings.Cut(label, "=")
		if v, ok := labels[key]; ok && v == value {
			return label
		}
	}
	return ""
}

// overBudget is how many people let something be over a budget.
func overBudget(l Eyes, d event.Decision) int {
	if d != event.Ask || l.Need < 2 {
		return 0
	}
	return l.Need
}
