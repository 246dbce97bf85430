package respond

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// warmFor bounds how long it is read ahead.
const warmFor = 5 * time.Second

// warm reads what the plan of an act on a pod, and its guards, are going to ask
// for, all at the same time, while the incident and the run are being stored: one
// after another it would take a dozen times as long as one. It only helps where
// [Executor.Recent] shares answers with those who ask a moment later. What can't
// be read, they find out themselves.
func (x *Executor) warm(ctx context.Context, pod event.Ref) {
	c := x.Recent
	if c == nil || !pod.IsPod() || !named(pod) || pod.Namespace == "" {
		return
	}
	ctx, cancel := context.WithTimeout(kube.Ahead(ctx), warmFor)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { _, _ = c.Namespace(ctx, pod.Namespace) })
	all.Go(func() { _, _ = c.Services(ctx, pod.Namespace) })
	all.Go(func() { _, _ = c.NetworkPolicies(ctx, pod.Namespace) })
	for _, k := range reach.Kinds() {
		all.Go(func() { _, _ = c.Serves(ctx, k.Group, k.Version, k.Resource) })
	}
	if x.Preview != nil {
		all.Go(func() { _, _ = x.Preview.Budgets(ctx, pod.Namespace) })
	}
	if g, ok := c.(guarded); ok {
		all.Go(func() { _, _ = g.Backends(ctx) })
		all.Go(func() { _, _ = g.Nodes(ctx) })
	}
}

// guarded is what guards ask of a cluster besides.
type guarded interface {
	Backends(ctx context.Context) ([]kube.Backend, error)
	Nodes(ctx context.Context) ([]corev1.Node, error)
}

var _ guarded = kube.Recent{}

// mayAct says whether a playbook that acts is likely to be for a finding, as far
// as that can be told before it has an incident.
func (w *Worker) mayAct(f event.Finding) bool {
	for _, book := range w.books {
		if book.Mode != event.ModeAct {
			continue
		}
		if applies, err := book.Applies(EnvFor(f, event.Incident{Severity: f.Severity, Priority: f.Severity}, f.Subject)); applies || err != nil {
			return true
		}
	}
	return false
}
