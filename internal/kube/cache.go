package kube

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// cacheFor is how old an answer of a [Cache] may be. It is short enough that a
// plan is of the moment, and long enough that a storm of alerts in one
// namespace reads its Services and policies once.
const cacheFor = time.Second

// Cache is a client whose reads of what surrounds a pod (its namespace, the
// Services and policies there, its owner) are shared by callers for a second.
// Pods and nodes, on which writes are conditional, are read afresh each time.
// It may be used concurrently. What it returns is shared: don't change it.
type Cache struct {
	*Client
	namespaces table[*corev1.Namespace]
	services   table[[]corev1.Service]
	policies   table[[]networkingv1.NetworkPolicy]
	owners     table[Owner]
	pods       table[*corev1.Pod]
}

// NewCache puts a cache in front of a client.
func NewCache(c *Client) *Cache { return &Cache{Client: c} }

// Namespace is [Client.Namespace], at most a second old.
func (c *Cache) Namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	return c.namespaces.get(ctx, name, func(ctx context.Context) (*corev1.Namespace, error) {
		return c.Client.Namespace(ctx, name)
	})
}

// Services is [Client.Services], at most a second old.
func (c *Cache) Services(ctx context.Context, namespace string) ([]corev1.Service, error) {
	return c.services.get(ctx, namespace, func(ctx context.Context) ([]corev1.Service, error) {
		return c.Client.Services(ctx, namespace)
	})
}

// NetworkPolicies is [Client.NetworkPolicies], at most a second old.
func (c *Cache) NetworkPolicies(ctx context.Context, namespace string) ([]networkingv1.NetworkPolicy, error) {
	return c.policies.get(ctx, namespace, func(ctx context.Context) ([]networkingv1.NetworkPolicy, error) {
		return c.Client.NetworkPolicies(ctx, namespace)
	})
}

// Owner is [Client.Owner], at most a second old: pods of one controller share
// the answer.
func (c *Cache) Owner(ctx context.Context, pod *corev1.Pod) (Owner, error) {
	for _, ref := range pod.OwnerReferences {
		if ref.Controller != nil && *ref.Controller {
			key := pod.Namespace + "/" + string(ref.UID)
			return c.owners.get(ctx, key, func(ctx context.Context) (Owner, error) { return c.Client.Owner(ctx, pod) })
		}
	}
	return c.Client.Owner(ctx, pod)
}

// Recent is a [Cache] whose pods may be a second old, too. It is for guards:
// what they look at in a pod never changes in its life (priority class, owner,
// what it mirrors), and a pod of another UID is no plan's target.
type Recent struct{ *Cache }

// Pod is [Client.Pod], at most a second old.
func (r Recent) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	return r.pods.get(ctx, namespace+"/"+name, func(ctx context.Context) (*corev1.Pod, error) {
		return r.Client.Pod(ctx, namespace, name)
	})
}

// table keeps answers by key for [cacheFor]. Callers that ask for the same at
// the same time wait for one answer. Errors are not kept.
type table[T any] struct {
	mu      sync.Mutex
	entries map[string]*entry[T]
}

type entry[T any] struct {
	// turn is held by who asks.
	turn  chan struct{}
	at    time.Time
	value T
}

// maxEntries bounds a table: past it the old answers are dropped.
const maxEntries = 1024

func (t *table[T]) get(ctx context.Context, key string, ask func(context.Context) (T, error)) (T, error) {
	e := t.entry(key)
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
	defer func() { <-e.turn }()
	if time.Since(e.at) < cacheFor {
		return e.value, nil
	}
	// The answer is as old as the question.
	at := time.Now()
	value, err := ask(ctx)
	if err != nil {
		var none T
		return none, err
	}
	e.value, e.at = value, at
	return value, nil
}

func (t *table[T]) entry(key string) *entry[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := t.entries[key]; ok {
		return e
	}
	if t.entries == nil || len(t.entries) >= maxEntries {
		t.entries = map[string]*entry[T]{}
	}
	e := &entry[T]{turn: make(chan struct{}, 1)}
	t.entries[key] = e
	return e
}
