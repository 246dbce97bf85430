package kube

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// doubted is how long after a watch failed what it gave is not used: longer than
// a watch that goes on failing takes between two attempts.
const doubted = time.Minute

// surroundings are what plans and guards look at around a pod, as watches keep it:
// usually milliseconds old. Where the API server falls silent it is as old as that
// silence, which the client notices after 45 seconds.
type surroundings struct {
	services, policies, budgets, nodes *watched
}

// watched is one kind.
type watched struct {
	informer cache.SharedIndexInformer
	// failed is when its watch failed last, in Unix nanoseconds.
	failed atomic.Int64
}

// Follow keeps what surrounds pods (Services, network policies, disruption
// budgets, nodes) by watches until ctx ends, so that a plan need not ask for it.
// What may not be watched, or whose watch fails, is asked for as before. Call it
// once.
func (c *Cache) Follow(ctx context.Context, logger *slog.Logger) error {
	factory := informers.NewSharedInformerFactory(c.typed, 0)
	s := &surroundings{}
	for _, k := range []struct {
		of       **watched
		name     string
		informer cache.SharedIndexInformer
	}{
		{&s.services, "services", factory.Core().V1().Services().Informer()},
		{&s.policies, "networkpolicies", factory.Networking().V1().NetworkPolicies().Informer()},
		{&s.budgets, "poddisruptionbudgets", factory.Policy().V1().PodDisruptionBudgets().Informer()},
		{&s.nodes, "nodes", factory.Core().V1().Nodes().Informer()},
	} {
		w := &watched{informer: k.informer}
		*k.of = w
		if err := k.informer.SetTransform(small); err != nil {
			return err
		}
		err := k.informer.SetWatchErrorHandlerWithContext(func(ctx context.Context, _ *cache.Reflector, err error) {
			if errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || ctx.Err() != nil {
				return // it ends from time to time
			}
			if before := w.failed.Swap(time.Now().UnixNano()); time.Since(time.Unix(0, before)) > doubted {
				logger.WarnContext(ctx, "a watch failed; what it gives is asked for instead", "resource", k.name, "error", err)
			}
		})
		if err != nil {
			return err
		}
	}
	factory.StartWithContext(ctx)
	c.around.Store(s)
	<-ctx.Done()
	c.around.Store(nil)
	factory.Shutdown()
	return nil
}

// small leaves out of an object what nobody here looks at.
func small(object any) (any, error) {
	if m, err := meta.Accessor(object); err == nil {
		m.SetManagedFields(nil)
	}
	if node, ok := object.(*corev1.Node); ok {
		node.Status.Images = nil
	}
	return object, nil
}

// all gives what a watch has of a namespace (empty is of all), if it can be
// believed.
func all[T any](w *watched, namespace string) (list []T, ok bool) {
	if w == nil || !w.informer.HasSynced() || time.Since(time.Unix(0, w.failed.Load())) < doubted {
		return nil, false
	}
	err := cache.ListAllByNamespace(w.informer.GetIndexer(), namespace, labels.Everything(), func(object any) {
		if o, is := object.(*T); is {
			list = append(list, *o)
		}
	})
	return list, err == nil
}

// Services is [Client.Services], by a watch if [Cache.Follow] keeps one.
func (r Recent) Services(ctx context.Context, namespace string) ([]corev1.Service, error) {
	if s := r.around.Load(); s != nil {
		if list, ok := all[corev1.Service](s.services, namespace); ok {
			return list, nil
		}
	}
	return r.Cache.Services(ctx, namespace)
}

// NetworkPolicies is [Client.NetworkPolicies], by a watch if [Cache.Follow] keeps
// one. For a moment after a write of ours it is read: the watch may not show it
// yet.
func (r Recent) NetworkPolicies(ctx context.Context, namespace string) ([]networkingv1.NetworkPolicy, error) {
	if s := r.around.Load(); s != nil && !r.policies.forgotten(namespace, 2*cacheFor) {
		if list, ok := all[networkingv1.NetworkPolicy](s.policies, namespace); ok {
			return list, nil
		}
	}
	return r.Cache.NetworkPolicies(ctx, namespace)
}

// Nodes is [Client.Nodes], by a watch if [Cache.Follow] keeps one.
func (r Recent) Nodes(ctx context.Context) ([]corev1.Node, error) {
	if s := r.around.Load(); s != nil {
		if list, ok := all[corev1.Node](s.nodes, ""); ok {
			return list, nil
		}
	}
	return r.Cache.Nodes(ctx)
}

// Budgets is [Client.Budgets], by a watch if [Cache.Follow] keeps one, else at
// most a second old.
func (c *Cache) Budgets(ctx context.Context, namespace string) ([]policyv1.PodDisruptionBudget, error) {
	if s := c.around.Load(); s != nil {
		if list, ok := all[policyv1.PodDisruptionBudget](s.budgets, namespace); ok {
			return list, nil
		}
	}
	return c.budgets.get(ctx, namespace, func(ctx context.Context) ([]policyv1.PodDisruptionBudget, error) {
		return c.Client.Budgets(ctx, namespace)
	})
}
