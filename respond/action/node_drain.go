package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const nodeDrain = "node.drain"

func init() {
	register(Kind{
		Name: nodeDrain,
		Doc: "Evicts the pods of a cordoned node, as far as disruption budgets let it within a time, and never deletes one instead. " +
			"Pods of DaemonSets, static and finished ones stay.",
		Class:    Effect,
		Destroys: true,
		OptIn:    true,
		Targets:  []string{nodes.Resource},
		Config:   func() any { c := newDrain(); return &c },
		Check:    func(config any) error { return checked(nodeDrain, config, DrainConfig.check) },
		Needs: []Permission{
			{Resource: nodes.Resource, Verbs: []string{"get"}},
			{Resource: "pods", Verbs: []string{"get", "list"}},
			{Resource: "pods/eviction", Verbs: []string{"create"}},
		},
		Admits: []Admit{{Resource: "pods/eviction", Operation: "CREATE", Expression: "true"}},
		New: func(d Deps, config any) (Action, error) {
			if config == nil {
				c := newDrain()
				config = &c
			}
			c, err := params[DrainConfig](nodeDrain, config)
			if err != nil {
				return nil, err
			}
			return drain{d, *c}, c.check()
		},
	})
}

// DrainConfig are the parameters of node.drain.
type DrainConfig struct {
	// AtMost is how many pods are evicted at most: a node with more is refused.
	AtMost int `yaml:"at_most" json:"at_most"`
	// Within is how long to wait for disruption budgets, in seconds. What is not
	// evicted then stays, and the step says so. The step's own timeout ends it
	// sooner.
	Within int `yaml:"within_seconds" json:"within_seconds"`
	// Leave are namespaces whose pods stay, besides those of the cluster itself
	// (kube-system and so on). Others that are protected hold the step up.
	Leave []string `yaml:"leave" json:"leave,omitempty"`
}

// The bounds of a drain.
const maxDrained, maxDrainSeconds = 250, 3600

func newDrain() DrainConfig { return DrainConfig{AtMost: 50, Within: 30} }

func (c DrainConfig) check() error {
	switch {
	case c.AtMost < 1 || c.AtMost > maxDrained:
		return fmt.Errorf("%s: at_most %d: between 1 and %d", nodeDrain, c.AtMost, maxDrained)
	case c.Within < 0 || c.Within > maxDrainSeconds:
		return fmt.Errorf("%s: within_seconds %d: between 0 and %d", nodeDrain, c.Within, maxDrainSeconds)
	}
	if err := checkNamespaces(c.Leave); err != nil {
		return fmt.Errorf("%s: %w", nodeDrain, err)
	}
	return nil
}

type drain struct {
	Deps
	config DrainConfig
}

// Plan lists one eviction for each pod, bound to its UID.
func (a drain) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p := event.Plan{Action: nodeDrain, Target: r.Target}
	node, err := readNode(ctx, a.Deps, r.Target)
	if err != nil {
		return p, err
	}
	pods, err := a.Cluster.PodsOn(ctx, node.Name)
	if err != nil {
		return p, err
	}
	leave := map[string]int{}
	for i := range pods {
		pod := &pods[i]
		if why := stays(pod, a.config.Leave); why != "" {
			leave[why]++
			continue
		}
		w, err := eviction(pod)
		if err != nil {
			return p, err
		}
		p.Writes, p.Also = append(p.Writes, w), append(p.Also, podRef(pod))
	}
	if n := len(p.Writes); n > a.config.AtMost {
		return p, refuse(r.Target, "%d pods would be evicted, more than at_most %d", n, a.config.AtMost)
	}
	p.Summary = fmt.Sprintf("drain %s: evict %d pods", r.Target, len(p.Writes))
	p.Notes = offlineNotes(a.Deps, a.notes(pods, leave, node.Spec.Unschedulable))
	return p, nil
}

func (a drain) notes(pods []corev1.Pod, leave map[string]int, unschedulable bool) []string {
	notes := []string{fmt.Sprintf("a pod that a disruption budget keeps is asked for again for %d s, and then stays", a.config.Within)}
	if !unschedulable {
		notes = append(notes, "the node is not cordoned: it has to be by then (node.cordon, node.isolate), else evicted pods come back to it")
	}
	for _, why := range slices.Sorted(maps.Keys(leave)) {
		notes = append(notes, fmt.Sprintf("%d pods stay: %s", leave[why], why))
	}
	bare, local := 0, 0
	for i := range pods {
		if stays(&pods[i], a.config.Leave) != "" {
			continue
		}
		if len(pods[i].OwnerReferences) == 0 {
			bare++
		}
		if slices.ContainsFunc(pods[i].Spec.Volumes, func(v corev1.Volume) bool { return v.EmptyDir != nil }) {
			local++
		}
	}
	if bare > 0 {
		notes = append(notes, fmt.Sprintf("%d of the pods are bare: nothing replaces them", bare))
	}
	if local > 0 {
		notes = append(notes, fmt.Sprintf("%d of the pods have data in an emptyDir, which is lost", local))
	}
	return append(notes, "evidence in the pods is lost: capture it first")
}

// stays says why a pod is left where it is.
func stays(pod *corev1.Pod, leave []string) string {
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	_, held := pod.Labels[HoldKey]
	owned := func(kind string) bool {
		return slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == kind && o.Controller != nil && *o.Controller })
	}
	switch {
	case mirror, slices.ContainsFunc(pod.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Node" }):
		return "static, run by the kubelet from a file"
	case owned("DaemonSet"):
		return "of a DaemonSet, which would put another there"
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		return "finished"
	case pod.DeletionTimestamp != nil:
		return "deleted already"
	case held:
		return "in quarantine, kept as evidence"
	case strings.HasPrefix(pod.Namespace, "kube-"), strings.HasPrefix(pod.Spec.PriorityClassName, "system-"):
		return "of the cluster itself"
	case slices.Contains(leave, pod.Namespace):
		return "of namespaces that are left out"
	}
	return ""
}

func podRef(pod *corev1.Pod) event.Ref {
	ref := event.PodRef(pod.Namespace, pod.Name)
	ref.UID, ref.Node = string(pod.UID), pod.Spec.NodeName
	return ref
}

// eviction is the write that evicts a pod: that one, and none of its name.
func eviction(pod *corev1.Pod) (event.Write, error) {
	w := event.Write{
		Verb: "create", Version: "v1", Resource: "pods", Subresource: "eviction",
		Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID),
	}
	var err error
	w.Body, err = encode(object{
		"apiVersion": policyv1.SchemeGroupVersion.String(), "kind": "Eviction",
		"metadata": object{"namespace": pod.Namespace, "name": pod.Name},
	})
	return w, err
}

// Do evicts, and asks again for those that a budget keeps. What is gone already
// is done: after a crash it begins anew.
func (a drain) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := checkDrain(r, p); err != nil {
		return event.Receipt{}, err
	}
	if len(p.Writes) == 0 {
		return receipt(r, event.ResultNothing, p.Notes...), nil
	}
	node, err := readNode(ctx, a.Deps, r.Target)
	if err != nil {
		return event.Receipt{}, err
	}
	if !node.Spec.Unschedulable && !a.Offline {
		return event.Receipt{}, refuse(r.Target, "it is not cordoned: evicted pods would come back to it")
	}
	bounded, cancel := context.WithTimeout(ctx, time.Duration(a.config.Within)*time.Second)
	defer cancel()
	left, err := a.evict(ctx, bounded, p.Writes)
	if err != nil {
		return event.Receipt{}, err
	}
	done := receipt(r, event.ResultApplied, p.Notes...)
	done.Output = map[string]string{"evicted": fmt.Sprint(len(p.Writes) - len(left)), "left": fmt.Sprint(len(left))}
	return done, nil
}

// evictEvery is how long it takes until a pod is asked for again.
const evictEvery = time.Second

// evict sends the evictions once, and again those that are to come later until
// the time is up. It gives what is left.
func (a drain) evict(ctx, bounded context.Context, list []event.Write) ([]event.Write, error) {
	tick := time.NewTicker(evictEvery)
	defer tick.Stop()
	for {
		var left []event.Write
		for _, w := range list {
			_, _, err := a.Cluster.Apply(ctx, w, kube.ApplyOptions{})
			switch {
			case errors.Is(err, kube.ErrBusy):
				left = append(left, w)
			case err != nil && !lost(err):
				return nil, err
			}
		}
		if len(left) == 0 {
			return nil, nil
		}
		list = left
		select {
		case <-bounded.Done():
			return left, ctx.Err()
		case <-tick.C:
		}
	}
}

// checkDrain makes sure that a plan is evictions of pods that it names.
func checkDrain(r Request, p event.Plan) error {
	if p.Action != nodeDrain || p.Target.UID != r.Target.UID || p.Target.String() != r.Target.String() {
		return refuse(r.Target, "plan is for %s of %s", p.Action, p.Target)
	}
	for _, w := range p.Writes {
		named := slices.ContainsFunc(p.Also, func(t event.Ref) bool {
			return t.UID == w.UID && t.UID != "" && t.Namespace == w.Namespace && t.Name == w.Name
		})
		if !named || w.Verb != "create" || w.Resource != "pods" || w.Subresource != "eviction" {
			return refuse(r.Target, "plan has a write that is no eviction of a pod that it names: %s %s/%s", w.Verb, w.Namespace, w.Name)
		}
	}
	return nil
}

// Verify looks which of the pods are there still, and not on their way out.
func (a drain) Verify(ctx context.Context, _ Request, p event.Plan, done event.Receipt) (event.Receipt, error) {
	var left []string
	for _, t := range p.Also {
		pod, err := a.Cluster.Pod(ctx, t.Namespace, t.Name)
		if errors.Is(err, kube.ErrNotFound) {
			continue
		}
		if err != nil {
			return done, err
		}
		if string(pod.UID) == t.UID && pod.DeletionTimestamp == nil {
			left = append(left, t.Namespace+"/"+t.Name)
		}
	}
	if len(left) > 0 {
		return changed(done, event.ResultPartial, fmt.Sprintf("%d of %d pods are kept by disruption budgets: %s", len(left), len(p.Also), shortList(left))), nil
	}
	done.Result = event.ResultEnforced
	return done, nil
}

// Undo can't: evicted pods don't come back.
func (a drain) Undo(_ context.Context, r Request, _ event.Receipt, _ event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, fmt.Errorf("%s: %w: evicted pods don't come back", strings.TrimSpace(r.Target.String()), ErrIrreversible)
}
