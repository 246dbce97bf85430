package kube

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// doubted is how long after a watch failed what it gave is not used: longer than
// a watch that goes on failing takes between two attempts.
const doubted = time.Minute

// surroundings are pods and what plans and guards look at around them, as watches
// keep it: usually milliseconds old. Where the API server falls silent it is as old
// as that silence, which the client notices after 45 seconds.
type surroundings struct {
	pods, namespaces, services, policies, budgets, nodes *watched
	// validating, mutating and apis say whom the API server itself asks, and apis
	// which groups it serves.
	validating, mutating, apis *watched
}

// watched is one kind.
type watched struct {
	informer cache.SharedIndexInformer
	// failed is when its watch failed last, in Unix nanoseconds.
	failed atomic.Int64
}

// Follow keeps pods and what surrounds them (namespaces, Services, network
// policies, disruption budgets, nodes, whom the API server asks) by watches until
// ctx ends, so that a plan need not ask for it. What may not be watched, or whose
// watch fails, is asked for as before. Call it once.
func (c *Cache) Follow(ctx context.Context, logger *slog.Logger) error {
	factory := informers.NewSharedInformerFactory(c.typed, 0)
	objects := dynamicinformer.NewDynamicSharedInformerFactory(c.dynamic, 0)
	s, pods := &surroundings{}, &kept{}
	for _, k := range []struct {
		of       **watched
		name     string
		informer cache.SharedIndexInformer
		small    cache.TransformFunc
	}{
		{&s.pods, "pods", factory.Core().V1().Pods().Informer(), pods.small},
		{&s.namespaces, "namespaces", factory.Core().V1().Namespaces().Informer(), small},
		{&s.services, "services", factory.Core().V1().Services().Informer(), small},
		{&s.policies, "networkpolicies", factory.Networking().V1().NetworkPolicies().Informer(), small},
		{&s.budgets, "poddisruptionbudgets", factory.Policy().V1().PodDisruptionBudgets().Informer(), small},
		{&s.nodes, "nodes", factory.Core().V1().Nodes().Informer(), small},
		{&s.validating, "validatingwebhookconfigurations", factory.Admissionregistration().V1().ValidatingWebhookConfigurations().Informer(), small},
		{&s.mutating, "mutatingwebhookconfigurations", factory.Admissionregistration().V1().MutatingWebhookConfigurations().Informer(), small},
		{&s.apis, apiServices.Resource, objects.ForResource(apiServices).Informer(), small},
	} {
		w := &watched{informer: k.informer}
		*k.of = w
		if err := k.informer.SetTransform(k.small); err != nil {
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
	if _, err := s.pods.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: pods.forget}); err != nil {
		return err
	}
	factory.StartWithContext(ctx)
	objects.Start(ctx.Done())
	c.around.Store(s)
	<-ctx.Done()
	c.around.Store(nil)
	factory.Shutdown()
	objects.Shutdown()
	return nil
}

// believed says whether what a watch has can be gone by.
func (w *watched) believed() bool {
	return w != nil && w.informer.HasSynced() && time.Since(time.Unix(0, w.failed.Load())) >= doubted
}

// one gives the object that a watch has by its key, NAMESPACE/NAME or the name of
// what has no namespace, if it has one and can be believed.
func one[T any](w *watched, key string) (object *T, ok bool) {
	if !w.believed() {
		return nil, false
	}
	found, exists, err := w.informer.GetStore().GetByKey(key)
	if err != nil || !exists {
		return nil, false
	}
	object, ok = found.(*T)
	return object, ok
}

// all gives what a watch has of a namespace (empty is of all), if it can be
// believed.
func all[T any](w *watched, namespace string) (list []T, ok bool) {
	if !w.believed() {
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
// one. After a write of ours it is read until the watch is known to show that.
func (r Recent) NetworkPolicies(ctx context.Context, namespace string) ([]networkingv1.NetworkPolicy, error) {
	if list, ok := r.KnownPolicies(namespace); ok {
		return list, nil
	}
	return r.Cache.NetworkPolicies(ctx, namespace)
}

// KnownPolicies are the network policies of a namespace as a watch has them. ok is
// false where none is kept, or until it is known to show what was written here: at
// once after a policy that was made, else for a moment.
func (c *Cache) KnownPolicies(namespace string) (list []networkingv1.NetworkPolicy, ok bool) {
	s := c.around.Load()
	if s == nil || !c.ours.shown(namespace, func(name string, uid types.UID) bool {
		policy, ok := one[networkingv1.NetworkPolicy](s.policies, namespace+"/"+name)
		return ok && policy.UID == uid
	}) {
		return nil, false
	}
	return all[networkingv1.NetworkPolicy](s.policies, namespace)
}

// Namespace is [Client.Namespace], by a watch if [Cache.Follow] keeps one that has
// it.
func (r Recent) Namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	if s := r.around.Load(); s != nil {
		if ns, ok := one[corev1.Namespace](s.namespaces, name); ok {
			return ns, nil
		}
	}
	return r.Cache.Namespace(ctx, name)
}

// KnownPod is a pod as a watch has it, without what [smallPod] leaves out; see
// [Recent] for what may be done by it. ok is false where none is kept that has
// it, or for a moment after a write of ours.
func (c *Cache) KnownPod(namespace, name string) (pod *corev1.Pod, ok bool) {
	s, key := c.around.Load(), namespace+"/"+name
	if s == nil || c.pods.forgotten(key, 2*cacheFor) {
		return nil, false
	}
	return one[corev1.Pod](s.pods, key)
}

// Serves is [Client.Serves]: that there is no such group and version a watch says,
// if [Cache.Follow] keeps one, since the API server has an APIService for each.
func (r Recent) Serves(ctx context.Context, group, version, resource string) (bool, error) {
	if s := r.around.Load(); s != nil && s.apis.believed() {
		_, exists, err := s.apis.informer.GetStore().GetByKey(version + "." + group)
		if err == nil && !exists {
			return false, nil
		}
	}
	return r.Cache.Serves(ctx, group, version, resource)
}

// Versions is [Client.Versions], by a watch if [Cache.Follow] keeps one, and then in
// no order.
func (r Recent) Versions(ctx context.Context, group string) (versions []string, err error) {
	s := r.around.Load()
	if s == nil || !s.apis.believed() {
		return r.Cache.Versions(ctx, group)
	}
	for _, key := range s.apis.informer.GetStore().ListKeys() {
		if version, of, _ := strings.Cut(key, "."); of == group {
			versions = append(versions, version)
		}
	}
	return versions, nil
}

// Backends is [Client.Backends], by watches if [Cache.Follow] keeps them.
func (r Recent) Backends(ctx context.Context) ([]Backend, error) {
	s := r.around.Load()
	if s == nil {
		return r.Cache.Backends(ctx)
	}
	validating, ok1 := all[admissionregistrationv1.ValidatingWebhookConfiguration](s.validating, "")
	mutating, ok2 := all[admissionregistrationv1.MutatingWebhookConfiguration](s.mutating, "")
	apis, ok3 := all[unstructured.Unstructured](s.apis, "")
	if !ok1 || !ok2 || !ok3 {
		return r.Cache.Backends(ctx)
	}
	return backends(validating, mutating, apis), nil
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
