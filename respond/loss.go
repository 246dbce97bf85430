package respond

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// Preview is what a plan is held against before people see it. It writes
// nothing. [*kube.Cache] is one.
type Preview interface {
	// Budgets are the PodDisruptionBudgets of a namespace, PodsOn the pods of a
	// node.
	Budgets(ctx context.Context, namespace string) ([]policyv1.PodDisruptionBudget, error)
	PodsOn(ctx context.Context, node string) ([]corev1.Pod, error)
	// DryRun asks the API server what would become of a write: what it would
	// change beside it, or the error with which it would refuse it.
	DryRun(ctx context.Context, w event.Write) ([]string, error)
}

var _ Preview = (*kube.Cache)(nil)

// loss says what a plan's target would be missed by, or nil where nothing is
// taken away: the effect is not one that takes a pod or a node from its work, or
// the plan writes nothing.
func (x *Executor) loss(ctx context.Context, kind action.Kind, p event.Plan) *event.Loss {
	if x.Preview == nil || x.Deps.Offline || len(p.Writes) == 0 || kind.Budget == "" && !kind.Destroys {
		return nil
	}
	l := lost{cluster: x.Deps.Cluster, preview: x.Preview, loss: &event.Loss{}}
	if x.Recent != nil {
		l.cluster = x.Recent
	}
	switch {
	case p.Target.IsPod():
		l.pod(ctx, p.Target, kind.Destroys)
	case p.Target.IsNode():
		l.node(ctx, p.Target)
	default:
		return nil
	}
	return l.loss
}

// lost collects what would be lost. What can't be read is said, and is no reason
// not to plan.
type lost struct {
	cluster action.Cluster
	preview Preview
	loss    *event.Loss
}

func (l lost) unknown(what string, err error) {
	l.loss.Unknown = append(l.loss.Unknown, fmt.Sprintf("%s: %v", what, err))
}

func (l lost) pod(ctx context.Context, target event.Ref, destroys bool) {
	pod, err := l.cluster.Pod(ctx, target.Namespace, target.Name)
	if err != nil {
		l.unknown("the pod", err)
		return
	}
	if services, err := l.cluster.Services(ctx, target.Namespace); err != nil {
		l.unknown("the Services that lead to it", err)
	} else {
		l.loss.Endpoints = endpointsOf(pod, services)
	}
	if owner, err := l.cluster.Owner(ctx, pod); err != nil {
		l.unknown("its workload", err)
	} else if owner.Kind != "" {
		l.workload(pod, owner, destroys)
	}
	budgets, err := l.preview.Budgets(ctx, target.Namespace)
	if err != nil {
		l.unknown("the PodDisruptionBudgets", err)
		return
	}
	for _, b := range budgets {
		if selects(b.Spec.Selector, pod) {
			l.loss.Budgets = append(l.loss.Budgets, event.Headroom{Budget: b.Namespace + "/" + b.Name, Allowed: int(b.Status.DisruptionsAllowed)})
		}
	}
}

// workload notes how the controller fares. A StatefulSet can't replace a pod
// that is still there, by its name; anything else can.
func (l lost) workload(pod *corev1.Pod, o kube.Owner, destroys bool) {
	l.loss.Workload = fmt.Sprintf("%s %s/%s", o.Top.Kind, pod.Namespace, o.Top.Name)
	if o.Selector == nil {
		l.unknown("how many pods "+l.loss.Workload+" has", fmt.Errorf("%s %s is gone, or of a kind that is not known", o.Kind, o.Name))
		return
	}
	l.loss.Wanted, l.loss.Ready, l.loss.ReadyAfter = o.Replicas, o.Ready, o.Ready
	if serves(pod) && o.Ready > 0 {
		l.loss.ReadyAfter--
	}
	l.loss.Replaced = o.Kind != "StatefulSet" || destroys
}

// endpointsOf are the Services that lead traffic to the pod now.
func endpointsOf(pod *corev1.Pod, services []corev1.Service) []string {
	var names []string
	for _, s := range services {
		if len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels)) &&
			(serves(pod) || s.Spec.PublishNotReadyAddresses) {
			names = append(names, s.Namespace+"/"+s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// serves says whether a pod is ready and stays.
func serves(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// selects says whether a budget counts the pod. No selector counts none, an
// empty one all.
func selects(s *metav1.LabelSelector, pod *corev1.Pod) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(pod.Labels))
}

// node notes how many nodes are left for new pods, and what runs on this one.
func (l lost) node(ctx context.Context, target event.Ref) {
	if nodes, err := l.cluster.NodesBy(ctx, ""); err != nil {
		l.unknown("the nodes that are left", err)
	} else {
		for _, n := range nodes {
			if n.Spec.Unschedulable {
				continue
			}
			l.loss.Nodes++
			if n.Name != target.Name {
				l.loss.NodesAfter++
			}
		}
	}
	pods, err := l.preview.PodsOn(ctx, target.Name)
	if err != nil {
		l.unknown("the pods that run there", err)
		return
	}
	for _, p := range pods {
		if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			l.loss.Pods++
		}
	}
}
