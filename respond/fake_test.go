package respond

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// cluster is a stand-in with pods and the API server's preconditions, for what
// the worker does around an action. The actions themselves are proved on the
// real control plane.
type cluster struct {
	action.Offline

	mu      sync.Mutex
	pods    map[string]*corev1.Pod
	version int
	// writes counts the patches that landed, by pod.
	writes map[string]int
	// reads counts the pods that were read.
	reads int
	// blind says that pods can't be read.
	blind atomic.Bool
	// sent, if set, is called before a write is carried out, answered after it;
	// an error of sent is the write's.
	sent, answered func(context.Context, event.Write) error
}

func newCluster(names ...string) *cluster {
	c := &cluster{pods: map[string]*corev1.Pod{}, writes: map[string]int{}}
	for _, n := range names {
		c.version++
		c.pods[n] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: n, UID: types.UID("uid-" + n), ResourceVersion: strconv.Itoa(c.version),
			Labels: map[string]string{"app": "web"},
		}}
	}
	return c
}

func (c *cluster) Pod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	if c.blind.Load() {
		return nil, errors.New("get pod: EOF")
	}
	if strings.Contains(name, "/") || strings.Contains(namespace, "%") {
		return nil, fmt.Errorf("invalid resource name %q", name) // as client-go says, each time
	}
	p, ok := c.pods[name]
	if !ok || namespace != "shop" {
		return nil, fmt.Errorf("get pod %s/%s: %w", namespace, name, kube.ErrNotFound)
	}
	return p.DeepCopy(), nil
}

// Pods lists those that have a label, of all namespaces.
func (c *cluster) Pods(_ context.Context, _, label string) ([]corev1.Pod, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []corev1.Pod
	for _, p := range c.pods {
		if _, ok := p.Labels[label]; ok {
			list = append(list, *p.DeepCopy())
		}
	}
	return list, nil
}

// meddle changes a pod as somebody else.
func (c *cluster) meddle(name string, change func(*corev1.Pod)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.pods[name])
	c.version++
	c.pods[name].ResourceVersion = strconv.Itoa(c.version)
}

func (c *cluster) Namespace(_ context.Context, name string) (*corev1.Namespace, error) {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, nil
}

func (c *cluster) NetworkPolicies(context.Context, string) ([]networkingv1.NetworkPolicy, error) {
	return nil, nil
}

func (c *cluster) Apply(ctx context.Context, w event.Write, _ kube.ApplyOptions) (uid, version string, err error) {
	if c.sent != nil {
		if err := c.sent(ctx, w); err != nil {
			return "", "", err
		}
	}
	uid, version, err = c.apply(w)
	if c.answered != nil && err == nil {
		err = c.answered(ctx, w)
	}
	return uid, version, err
}

func (c *cluster) apply(w event.Write) (string, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.pods[w.Name]
	switch {
	case !ok:
		return "", "", kube.ErrNotFound
	case w.Verb != "patch":
		return "", "", fmt.Errorf("verb %s", w.Verb)
	case w.UID != string(p.UID):
		return "", "", kube.ErrUIDMismatch
	case w.ResourceVersion != p.ResourceVersion:
		return "", "", kube.ErrConflict
	}
	var patch struct {
		Metadata struct {
			Labels      map[string]*string `json:"labels"`
			Annotations map[string]*string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(w.Body, &patch); err != nil {
		return "", "", err
	}
	p.Labels = merge(p.Labels, patch.Metadata.Labels)
	p.Annotations = merge(p.Annotations, patch.Metadata.Annotations)
	c.version++
	c.writes[w.Name]++
	p.ResourceVersion = strconv.Itoa(c.version)
	return string(p.UID), p.ResourceVersion, nil
}

func merge(into map[string]string, patch map[string]*string) map[string]string {
	if into == nil {
		into = map[string]string{}
	}
	for k, v := range patch {
		if v == nil {
			delete(into, k)
		} else {
			into[k] = *v
		}
	}
	return into
}

func (c *cluster) label(pod, key string) (string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pods[pod].Labels[key], c.writes[pod]
}

func (c *cluster) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}
