package respond

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// plane is a stand-in for a whole cluster: pods of any namespace, nodes and
// policies, with the preconditions that the API server has. It tells each write
// that landed.
type plane struct {
	action.Offline

	mu       sync.Mutex
	version  int
	pods     map[string]*corev1.Pod
	nodes    map[string]*corev1.Node
	spaces   map[string]*corev1.Namespace
	policies map[string]*networkingv1.NetworkPolicy
	backends []kube.Backend
	services map[string][]corev1.Service
	// landed is called with each write, sent with what is asked before it.
	landed func(event.Write)
	// slow is how long a write takes to arrive; nil is no time.
	slow func() time.Duration
}

func newPlane() *plane {
	return &plane{
		pods: map[string]*corev1.Pod{}, nodes: map[string]*corev1.Node{}, spaces: map[string]*corev1.Namespace{},
		policies: map[string]*networkingv1.NetworkPolicy{}, services: map[string][]corev1.Service{},
	}
}

func (p *plane) meta(namespace, name string) metav1.ObjectMeta {
	p.version++
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, UID: types.UID("uid-" + namespace + "-" + name), ResourceVersion: strconv.Itoa(p.version),
		Labels: map[string]string{"app": "web"},
	}
}

func (p *plane) pod(namespace, name string, change func(*corev1.Pod)) {
	pod := &corev1.Pod{ObjectMeta: p.meta(namespace, name)}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	if change != nil {
		change(pod)
	}
	p.pods[namespace+"/"+name] = pod
}

func (p *plane) node(name string, change func(*corev1.Node)) {
	node := &corev1.Node{ObjectMeta: p.meta("", name)}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if change != nil {
		change(node)
	}
	p.nodes[name] = node
}

func found[T any](m map[string]*T, key string, copy func(*T) *T) (*T, error) {
	if x, ok := m[key]; ok {
		return copy(x), nil
	}
	return nil, fmt.Errorf("get %s: %w", key, kube.ErrNotFound)
}

func (p *plane) Pod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return found(p.pods, namespace+"/"+name, (*corev1.Pod).DeepCopy)
}

func (p *plane) Pods(_ context.Context, namespace, selector string) ([]corev1.Pod, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	var list []corev1.Pod
	for _, pod := range p.pods {
		if (namespace == "" || pod.Namespace == namespace) && s.Matches(labels.Set(pod.Labels)) {
			list = append(list, *pod.DeepCopy())
		}
	}
	return list, nil
}

func (p *plane) Node(_ context.Context, name string) (*corev1.Node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return found(p.nodes, name, (*corev1.Node).DeepCopy)
}

func (p *plane) Nodes(context.Context) ([]corev1.Node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []corev1.Node
	for _, n := range p.nodes {
		list = append(list, *n.DeepCopy())
	}
	return list, nil
}

func (p *plane) Namespace(_ context.Context, name string) (*corev1.Namespace, error) {
	if ns := p.spaces[name]; ns != nil {
		return ns, nil
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

func (p *plane) Backends(context.Context) ([]kube.Backend, error) { return p.backends, nil }

func (p *plane) Services(_ context.Context, namespace string) ([]corev1.Service, error) {
	return p.services[namespace], nil
}

func (p *plane) NetworkPolicy(_ context.Context, namespace, name string) (*networkingv1.NetworkPolicy, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return found(p.policies, namespace+"/"+name, (*networkingv1.NetworkPolicy).DeepCopy)
}

// Apply is what the API server does with a write.
func (p *plane) Apply(ctx context.Context, w event.Write, _ kube.ApplyOptions) (string, string, error) {
	if p.slow != nil {
		if err := sleep(ctx, p.slow()); err != nil {
			return "", "", err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	uid, version, err := p.apply(w)
	if err == nil && p.landed != nil {
		p.landed(w)
	}
	return uid, version, err
}

func (p *plane) apply(w event.Write) (string, string, error) {
	key := w.Namespace + "/" + w.Name
	switch w.Verb + " " + w.Resource {
	case "create networkpolicies":
		if p.policies[key] != nil {
			return "", "", kube.ErrExists
		}
		policy := &networkingv1.NetworkPolicy{}
		if err := json.Unmarshal(w.Body, policy); err != nil {
			return "", "", err
		}
		meta := p.meta(w.Namespace, w.Name)
		policy.UID, policy.ResourceVersion = meta.UID, meta.ResourceVersion
		p.policies[key] = policy
		return string(meta.UID), meta.ResourceVersion, nil
	case "create events":
		return "uid-event", "1", nil
	case "delete networkpolicies":
		if p.policies[key] == nil {
			return "", "", kube.ErrNotFound
		}
		delete(p.policies, key)
		return "", "", nil
	case "patch pods", "delete pods":
		if pod := p.pods[key]; pod != nil {
			return p.change(w, &pod.ObjectMeta, pod, func() { delete(p.pods, key) })
		}
	case "patch nodes":
		if node := p.nodes[w.Name]; node != nil {
			return p.change(w, &node.ObjectMeta, node, nil)
		}
	default:
		return "", "", fmt.Errorf("%s %s: %w", w.Verb, w.Resource, kube.ErrForbidden)
	}
	return "", "", kube.ErrNotFound
}

func (p *plane) change(w event.Write, meta *metav1.ObjectMeta, object any, remove func()) (string, string, error) {
	switch {
	case w.UID != string(meta.UID):
		return "", "", kube.ErrUIDMismatch
	case w.ResourceVersion != meta.ResourceVersion:
		return "", "", kube.ErrConflict
	case w.Verb == "delete":
		remove()
		return "", "", nil
	}
	var patch struct {
		Metadata struct {
			Labels      map[string]*string `json:"labels"`
			Annotations map[string]*string `json:"annotations"`
		} `json:"metadata"`
		Spec map[string]json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(w.Body, &patch); err != nil {
		return "", "", err
	}
	meta.Labels = merge(meta.Labels, patch.Metadata.Labels)
	meta.Annotations = merge(meta.Annotations, patch.Metadata.Annotations)
	if node, ok := object.(*corev1.Node); ok && patch.Spec["unschedulable"] != nil {
		node.Spec.Unschedulable = string(patch.Spec["unschedulable"]) == "true"
	}
	p.version++
	meta.ResourceVersion = strconv.Itoa(p.version)
	return string(meta.UID), meta.ResourceVersion, nil
}

// shelf is a store of one process, with compare-and-set.
type shelf struct {
	mu       sync.Mutex
	values   map[string][]byte
	revision map[string]uint64
}

func newShelf() *shelf { return &shelf{values: map[string][]byte{}, revision: map[string]uint64{}} }

func (s *shelf) Get(_ context.Context, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision[key] == 0 {
		return nil, 0, bus.ErrNotFound
	}
	return s.values[key], s.revision[key], nil
}

func (s *shelf) CompareAndSet(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision[key] != revision {
		return 0, bus.ErrConflict
	}
	s.values[key], s.revision[key] = value, revision+1
	return revision + 1, nil
}

// hands are the operators' control, for tests without a bus.
type hands struct {
	mu      sync.Mutex
	paused  bool
	ceiling event.Mode
}

func (h *hands) Paused(context.Context) (bool, string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paused, "ann", nil
}

func (h *hands) Ceiling(context.Context) (event.Mode, error) { return h.ceiling, nil }

func (h *hands) set(paused bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paused = paused
}
