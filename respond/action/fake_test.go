package action

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// fake is a Cluster with the API server's semantics of preconditions and
// merge patches. It is not safe for concurrent use.
type fake struct {
	Offline
	objects map[string]object // by resource/namespace/name
	owner   kube.Owner
	count   int
	// landed are the writes that changed something, with the UID that the
	// object had.
	landed []event.Write
	// before and after are called around each write; an error of before keeps
	// it from landing, one of after loses the answer.
	before, after func(w event.Write) error
	// bare says that the cluster serves nothing but what Kubernetes ships.
	bare bool
	// silent are the groups that the cluster has and that can't be read, and why.
	silent map[string]error
	// kinds are what it serves beside what Kubernetes ships; nil is all.
	kinds []string
}

func newFake() *fake { return &fake{objects: map[string]object{}} }

func at(resource, namespace, name string) string { return resource + "/" + namespace + "/" + name }

func (f *fake) next() string { f.count++; return fmt.Sprint(f.count) }

// put stores an object as somebody else: a new one gets a UID.
func (f *fake) put(t fataler, resource string, x any) string {
	t.Helper()
	o := object{}
	remarshal(t, x, &o)
	meta := o["metadata"].(object)
	ns, _ := meta["namespace"].(string)
	if meta["uid"] == nil {
		meta["uid"] = "uid-" + f.next()
	}
	meta["resourceVersion"] = f.next()
	f.objects[at(resource, ns, meta["name"].(string))] = o
	return meta["uid"].(string)
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func remarshal(t fataler, from, to any) {
	t.Helper()
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func read[T any](f *fake, resource, ns, name string) (*T, error) {
	o, ok := f.objects[at(resource, ns, name)]
	if !ok {
		return nil, fmt.Errorf("get %s %s/%s: %w", resource, ns, name, kube.ErrNotFound)
	}
	out := new(T)
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(data, out)
}

func list[T any](f *fake, resource, ns string) (items []T, err error) {
	for _, k := range slices.Sorted(maps.Keys(f.objects)) {
		part := strings.SplitN(k, "/", 3)
		if part[0] == resource && (ns == "" || part[1] == ns) {
			x, err := read[T](f, resource, part[1], part[2])
			if err != nil {
				return nil, err
			}
			items = append(items, *x)
		}
	}
	return items, nil
}

func (f *fake) Pod(_ context.Context, ns, name string) (*corev1.Pod, error) {
	return read[corev1.Pod](f, "pods", ns, name)
}

func (f *fake) NodesBy(_ context.Context, selector string) ([]corev1.Node, error) {
	s, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	nodes, err := list[corev1.Node](f, "nodes", "")
	return slices.DeleteFunc(nodes, func(n corev1.Node) bool { return !s.Matches(labels.Set(n.Labels)) }), err
}

func (f *fake) Pods(_ context.Context, ns, selector string) ([]corev1.Pod, error) {
	s, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	pods, err := list[corev1.Pod](f, "pods", ns)
	return slices.DeleteFunc(pods, func(p corev1.Pod) bool { return !s.Matches(labels.Set(p.Labels)) }), err
}

func (f *fake) PodsOn(ctx context.Context, node string) ([]corev1.Pod, error) {
	pods, err := f.Pods(ctx, "", "")
	return slices.DeleteFunc(pods, func(p corev1.Pod) bool { return p.Spec.NodeName != node }), err
}

func (f *fake) Node(_ context.Context, name string) (*corev1.Node, error) {
	return read[corev1.Node](f, "nodes", "", name)
}

func (f *fake) Services(_ context.Context, ns string) ([]corev1.Service, error) {
	return list[corev1.Service](f, "services", ns)
}

func (f *fake) NetworkPolicies(_ context.Context, ns string) ([]networkingv1.NetworkPolicy, error) {
	return list[networkingv1.NetworkPolicy](f, "networkpolicies", ns)
}

func (f *fake) NetworkPolicy(_ context.Context, ns, name string) (*networkingv1.NetworkPolicy, error) {
	return read[networkingv1.NetworkPolicy](f, "networkpolicies", ns, name)
}

func (f *fake) Get(_ context.Context, _, _, resource, ns, name string) (*unstructured.Unstructured, error) {
	o, err := read[object](f, resource, ns, name)
	if err != nil {
		return nil, err
	}
	return &unstructured.Unstructured{Object: *o}, nil
}

func (f *fake) List(_ context.Context, group, _, resource, ns, selector string) (items []unstructured.Unstructured, err error) {
	s, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	for _, k := range slices.Sorted(maps.Keys(f.objects)) {
		o := unstructured.Unstructured{Object: f.objects[k]}
		part := strings.SplitN(k, "/", 3)
		if of := o.GroupVersionKind().Group; of != "" && of != group {
			continue
		}
		if part[0] == resource && (ns == "" || part[1] == ns) && s.Matches(labels.Set(o.GetLabels())) {
			items = append(items, *o.DeepCopy())
		}
	}
	return items, nil
}

// Serves says yes to all but Calico's network policies, which the fake would
// mistake for those of Kubernetes: it knows no groups.
func (f *fake) Serves(_ context.Context, group, _, resource string) (bool, error) {
	if err := f.silent[group]; err != nil {
		return false, err
	}
	return !f.bare && (f.kinds == nil || slices.Contains(f.kinds, resource)) && (resource != "networkpolicies" || group == "networking.k8s.io"), nil
}

func (f *fake) Versions(context.Context, string) ([]string, error) { return nil, nil }

func (f *fake) Owner(context.Context, *corev1.Pod) (kube.Owner, error) { return f.owner, nil }

func (f *fake) Apply(_ context.Context, w event.Write, _ kube.ApplyOptions) (string, string, error) {
	if f.before != nil {
		if err := f.before(w); err != nil {
			return "", "", err
		}
	}
	if err := f.apply(w); err != nil {
		return "", "", fmt.Errorf("%s %s %s: %w", w.Verb, w.Resource, w.Name, err)
	}
	if f.after != nil {
		if err := f.after(w); err != nil {
			return "", "", err
		}
	}
	if o, ok := f.objects[at(w.Resource, w.Namespace, w.Name)]; ok {
		meta := o["metadata"].(object)
		return meta["uid"].(string), meta["resourceVersion"].(string), nil
	}
	return "", "", nil
}

func (f *fake) apply(w event.Write) error {
	key := at(w.Resource, w.Namespace, w.Name)
	now, exists := f.objects[key]
	body := object{}
	if len(w.Body) > 0 {
		if err := json.Unmarshal(w.Body, &body); err != nil {
			return err
		}
	}
	if w.Verb == "create" {
		if exists {
			return kube.ErrExists
		}
		meta := body["metadata"].(object)
		meta["uid"], meta["resourceVersion"] = "uid-"+f.next(), f.next()
		f.objects[key] = body
		f.landed = append(f.landed, w)
		return nil
	}
	if w.UID == "" || w.ResourceVersion == "" {
		return kube.ErrUnconditional
	}
	if !exists {
		return kube.ErrNotFound
	}
	meta := now["metadata"].(object)
	if meta["uid"] != w.UID {
		return kube.ErrUIDMismatch
	}
	if meta["resourceVersion"] != w.ResourceVersion {
		return kube.ErrConflict
	}
	if w.Verb == "delete" {
		delete(f.objects, key)
	} else {
		merge(now, body)
		meta["resourceVersion"] = f.next()
	}
	f.landed = append(f.landed, w)
	return nil
}

// merge is RFC 7396, and as the API server does drops maps that became empty.
func merge(to, from object) {
	for k, v := range from {
		switch v := v.(type) {
		case nil:
			delete(to, k)
		case object:
			inner, ok := to[k].(object)
			if !ok {
				inner = object{}
			}
			merge(inner, v)
			if to[k] = inner; len(inner) == 0 {
				delete(to, k)
			}
		default:
			to[k] = v
		}
	}
}

const ns = "shop"

func pod(name string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: labels},
	}
}

func service(name string, selector map[string]string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
}

// policy allows all ingress of the pods that it selects.
func policy(name string, selector metav1.LabelSelector) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: selector, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{}},
		},
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func podRequest(key, name, uid string) Request {
	target := event.PodRef(ns, name)
	target.UID = uid
	return Request{Key: key, Target: target, Now: noon, Until: noon.Add(time.Hour)}
}

func build(t *testing.T, name string, d Deps, config any) Action {
	t.Helper()
	k, ok := Lookup(name)
	if !ok {
		t.Fatalf("no action %s", name)
	}
	a, err := k.New(d, config)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// must plans and does.
func must(t *testing.T, a Action, r Request) (event.Plan, event.Receipt) {
	t.Helper()
	p, err := a.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	done, err := a.Do(t.Context(), r, p)
	if err != nil {
		t.Fatal(err)
	}
	return p, done
}
