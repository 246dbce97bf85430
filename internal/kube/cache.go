package kube

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// cacheFor is how old an answer of a [Cache] may be. It is short enough that a
// plan is of the moment, and long enough that a storm of alerts in one
// namespace reads its Services and policies once.
const cacheFor = time.Second

// slowly is how old an answer about the whole cluster may be that changes by its
// operators' hands alone: its nodes, which kinds it serves, whom its API server
// asks. Each of many alerts, one after another, would read all of it otherwise.
const slowly = 5 * time.Second

// Ahead marks reads that are made ahead for somebody who asks a moment later:
// what would be too old then is read again now.
func Ahead(ctx context.Context) context.Context { return context.WithValue(ctx, aheadKey{}, true) }

type aheadKey struct{}

// Cache is a client whose reads of what surrounds a pod (its namespace, the
// Services and policies there, its owner) are shared by callers for a second,
// those about the whole cluster for five.
// Pods and nodes, on which writes are conditional, are read afresh each time,
// and so is one network policy; but those who ask for it at the same time share
// an answer that was asked for after all of them. It may be used concurrently.
// What it returns is shared: don't change it.
type Cache struct {
	*Client
	single     flights[*networkingv1.NetworkPolicy]
	namespaces table[*corev1.Namespace]
	services   table[[]corev1.Service]
	policies   table[[]networkingv1.NetworkPolicy]
	owners     table[Owner]
	pods       table[*corev1.Pod]
	nodes      table[[]corev1.Node]
	backends   table[[]Backend]
	kinds      table[[]string]
	budgets    table[[]policyv1.PodDisruptionBudget]
	// ours are writes of network policies that a watch may not show yet.
	ours ours
	// around is nil while nothing is watched.
	around atomic.Pointer[surroundings]
}

// NewCache puts a cache in front of a client.
func NewCache(c *Client) *Cache {
	cache := &Cache{Client: c}
	cache.nodes.life, cache.backends.life, cache.kinds.life = slowly, slowly, slowly
	return cache
}

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

// NetworkPolicy is [Client.NetworkPolicy], read after it was asked for.
func (c *Cache) NetworkPolicy(ctx context.Context, namespace, name string) (*networkingv1.NetworkPolicy, error) {
	return c.single.join(ctx, namespace+"/"+name, func(ctx context.Context) (*networkingv1.NetworkPolicy, error) {
		return c.Client.NetworkPolicy(ctx, namespace, name)
	})
}

// Pod is [Client.Pod]; [Recent] may give the answer again.
func (c *Cache) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	at := time.Now()
	pod, err := c.Client.Pod(ctx, namespace, name)
	if err == nil {
		c.pods.put(namespace+"/"+name, pod, at)
	}
	return pod, err
}

// Apply is [Client.Apply]. What was known of a pod is forgotten when the write
// was refused, so that whoever plans again reads it; after one that was taken
// it is what the API server answered.
func (c *Cache) Apply(ctx context.Context, w event.Write, o ApplyOptions) (uid, resourceVersion string, err error) {
	if w.Resource == "networkpolicies" && w.Group == networking && !o.DryRun {
		defer func() {
			c.ours.note(w, uid, err)
			c.policies.forget(w.Namespace)
		}()
	}
	if w.Resource != "pods" || w.Group != "" || o.DryRun {
		return c.Client.Apply(ctx, w, o)
	}
	key := w.Namespace + "/" + w.Name
	c.pods.forget(key)
	if w.Verb != "patch" || w.Subresource != "" {
		defer c.pods.forget(key) // somebody may have read it in between
		return c.Client.Apply(ctx, w, o)
	}
	pod, err := c.patchPod(ctx, w, o)
	c.pods.forget(key)
	if err != nil {
		return "", "", err
	}
	c.pods.put(key, pod, time.Now())
	return string(pod.UID), pod.ResourceVersion, nil
}

// Answered is the pod as the API server gave it in answer to a write that
// [Cache.Apply] sent a moment ago and that made this resourceVersion of it.
// Without one it is the newest answer that is known.
func (c *Cache) Answered(namespace, name, resourceVersion string) (*corev1.Pod, bool) {
	pod, ok := c.pods.peek(namespace + "/" + name)
	return pod, ok && (resourceVersion == "" || pod.ResourceVersion == resourceVersion)
}

// Recent is a [Cache] whose pods may be a second old, too. It is for plans and
// for guards. A plan's patch carries the UID and resourceVersion of the pod that
// it was made of, so the API server refuses it when the pod was another by then,
// and [Cache.Apply] sees to it that the next plan reads the pod. What guards
// look at in a pod either never changes in its life (priority class, owner, what
// it mirrors) or changes its resourceVersion; and a pod of another UID is no
// plan's target. Pods and what surrounds them it has from watches, if
// [Cache.Follow] keeps them: a watch that falls behind makes a write that is
// refused, and never one of another pod.
type Recent struct{ *Cache }

// Pod is [Client.Pod], at most a second old, or by a watch if [Cache.Follow] keeps
// one that has it.
func (r Recent) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	if pod, ok := r.pods.peek(namespace + "/" + name); ok {
		return pod, nil
	}
	if pod, ok := r.KnownPod(namespace, name); ok {
		return pod, nil
	}
	return r.pods.get(ctx, namespace+"/"+name, func(ctx context.Context) (*corev1.Pod, error) {
		return r.Client.Pod(ctx, namespace, name)
	})
}

// table keeps answers by key for a while. Callers that ask for the same at
// the same time wait for one answer. Errors are not kept.
type table[T any] struct {
	// life is how old an answer may be; 0 is [cacheFor].
	life time.Duration

	mu      sync.Mutex
	entries map[string]*entry[T]
}

type entry[T any] struct {
	// turn is held by who asks.
	turn  chan struct{}
	at    time.Time
	value T
	// floor is when the answers from before were forgotten.
	floor time.Time
}

// put notes an answer to a question of some time, if there is none to a later
// one.
func (t *table[T]) put(key string, value T, at time.Time) {
	e := t.entry(key)
	select {
	case e.turn <- struct{}{}:
	default:
		return // somebody is asking just now
	}
	defer func() { <-e.turn }()
	if at.After(e.at) && at.After(e.floor) {
		e.value, e.at = value, at
	}
}

// peek is an answer that is there.
func (t *table[T]) peek(key string) (value T, ok bool) {
	e := t.entry(key)
	select {
	case e.turn <- struct{}{}:
	default:
		return value, false
	}
	defer func() { <-e.turn }()
	return e.value, time.Since(e.at) < cacheFor
}

// forget drops an answer, and those to questions that were asked by now. Those
// who wait for one get theirs still.
func (t *table[T]) forget(key string) {
	e := t.entry(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries[key] == e {
		t.entries[key] = &entry[T]{turn: make(chan struct{}, 1), floor: time.Now()}
	}
}

// forgotten says whether an answer was dropped within the last time.
func (t *table[T]) forgotten(key string, within time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.entries[key]
	return ok && time.Since(e.floor) < within
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
	life := cmp.Or(t.life, cacheFor)
	if ctx.Value(aheadKey{}) != nil {
		life -= min(life/2, cacheFor)
	}
	if time.Since(e.at) < life {
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
