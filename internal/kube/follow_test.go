package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	goruntime "runtime"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/wait"
)

// following is a cache that follows a stand-in, which refuses to watch some
// resources.
func following(t *testing.T, refused ...string) (Recent, *fake.Clientset) {
	t.Helper()
	api := fake.NewClientset(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "web"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: corev1.NodeStatus{Images: []corev1.ContainerImage{{SizeBytes: 1}}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		followedPod("web", "u1"), largePod(),
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "v"}, Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "a", ClientConfig: admissionregistrationv1.WebhookClientConfig{CABundle: []byte("long"), Service: &admissionregistrationv1.ServiceReference{Namespace: "shop", Name: "policy"}},
		}}},
	)
	apis := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{apiServices: "APIServiceList"},
		&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": map[string]any{"name": "v1beta1.metrics.k8s.io"},
			"spec": map[string]any{"caBundle": "long", "service": map[string]any{"namespace": "shop", "name": "metrics"}},
		}},
	)
	for _, resource := range refused {
		api.PrependReactor("list", resource, func(a ktesting.Action) (bool, runtime.Object, error) {
			if a.GetNamespace() == "" {
				return true, nil, errors.New("forbidden")
			}
			return false, nil, nil
		})
	}
	r := Recent{NewCache(&Client{typed: api, dynamic: apis})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Follow(ctx, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r, api
}

// followedPod is a pod with more than is looked at.
func followedPod(name, uid string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(uid), ResourceVersion: "1", Labels: map[string]string{"app": "web"},
			Annotations:   map[string]string{"note": "x", corev1.LastAppliedConfigAnnotation: "{}"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "argocd-controller", FieldsV1: metav1.NewFieldsV1("{}")}},
		},
		Spec: corev1.PodSpec{
			NodeName: "n1", Volumes: []corev1.Volume{{Name: "v"}},
			Containers: []corev1.Container{{
				Name: "c", Image: "web:1", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}},
				Env: []corev1.EnvVar{{Name: "A", Value: "b"}}, LivenessProbe: &corev1.Probe{PeriodSeconds: 3},
			}},
			EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "e", Command: []string{"sh"}}}},
		},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "c", ContainerID: "containerd://0123456789abcdef"}}},
	}
}

// largePod is one that is not kept.
func largePod() *corev1.Pod {
	pod := followedPod("large", "u2")
	pod.Annotations["large"] = strings.Repeat("x", maxKept)
	return pod
}

// lists counts the requests for lists of one namespace.
func lists(api *fake.Clientset) int {
	n := 0
	for _, a := range api.Actions() {
		if a.GetVerb() == "list" && a.GetNamespace() != "" {
			n++
		}
	}
	return n
}

// TestFollowed: what is watched is not asked for, is that of its namespace alone,
// shows what comes, and is let go of with the context.
func TestFollowed(t *testing.T) {
	r, api := following(t)
	wait.Until(t, "all is followed", func() bool {
		s := r.around.Load()
		return s != nil && s.services.informer.HasSynced() && s.policies.informer.HasSynced() && s.budgets.informer.HasSynced() && s.nodes.informer.HasSynced()
	})
	services, err := r.Services(t.Context(), "shop")
	if err != nil || len(services) != 1 || services[0].Namespace != "shop" {
		t.Errorf("Services gives %v, %v", services, err)
	}
	if nodes, err := r.Nodes(t.Context()); err != nil || len(nodes) != 1 || nodes[0].Status.Images != nil {
		t.Errorf("Nodes gives %v, %v", nodes, err)
	}
	if budgets, err := r.Budgets(t.Context(), "shop"); err != nil || len(budgets) != 0 {
		t.Errorf("Budgets gives %v, %v", budgets, err)
	}
	if n := lists(api); n != 0 {
		t.Errorf("%d lists were asked for", n)
	}
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deny"}}
	if _, err := api.NetworkingV1().NetworkPolicies("shop").Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the policy is seen", func() bool {
		policies, err := r.NetworkPolicies(t.Context(), "shop")
		return err == nil && len(policies) == 1
	})
	if n := lists(api); n != 0 {
		t.Errorf("%d lists were asked for", n)
	}
	// After a write of ours the watch may be late. (The stand-in of the one client
	// does not see what the other makes.)
	body := `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"namespace":"shop","name":"hold","uid":"u9"}}`
	if _, _, err := r.Apply(t.Context(), event.Write{
		Verb: "create", Group: networking, Version: "v1", Resource: "networkpolicies", Namespace: "shop", Name: "hold", Body: []byte(body),
	}, ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.NetworkPolicies(t.Context(), "shop"); err != nil || lists(api) != 1 {
		t.Errorf("after a write %d lists were asked for (%v)", lists(api), err)
	}
	policy.Name, policy.UID = "hold", "u9"
	if _, err := api.NetworkingV1().NetworkPolicies("shop").Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the watch shows it", func() bool {
		known, ok := r.KnownPolicies("shop")
		return ok && len(known) == 2
	})
}

// TestNotFollowed: what may not be watched is asked for.
func TestNotFollowed(t *testing.T) {
	r, api := following(t, "services")
	wait.Until(t, "the watch fails", func() bool {
		s := r.around.Load()
		return s != nil && s.services.failed.Load() != 0
	})
	services, err := r.Services(t.Context(), "shop")
	if err != nil || len(services) != 1 || lists(api) != 1 {
		t.Errorf("Services gives %v, %v after %d lists", services, err, lists(api))
	}
}

// reads counts the requests for one object of a resource.
func reads(api *fake.Clientset, resource string) int {
	n := 0
	for _, a := range api.Actions() {
		if a.Matches("get", resource) {
			n++
		}
	}
	return n
}

// TestFollowedPods: a pod is that of the watch, without what nobody looks at; one that
// is too large, one that the watch does not have, and one that was just written to are
// read.
func TestFollowedPods(t *testing.T) {
	r, api := following(t)
	wait.Until(t, "the pod is followed", func() bool {
		_, ok := r.KnownPod("shop", "web")
		return ok && r.around.Load().namespaces.informer.HasSynced()
	})
	pod, err := r.Pod(t.Context(), "shop", "web")
	if err != nil || reads(api, "pods") != 0 {
		t.Fatalf("the pod was read (%v)", err)
	}
	want := followedPod("web", "u1")
	delete(want.Annotations, corev1.LastAppliedConfigAnnotation)
	want.ManagedFields[0].FieldsV1, want.Spec.Volumes, want.Spec.Containers[0].Env = nil, nil, nil
	if !reflect.DeepEqual(pod, want) {
		t.Errorf("the watch keeps %+v, want %+v", pod, want)
	}
	if ns, err := r.Namespace(t.Context(), "shop"); err != nil || ns.Name != "shop" || reads(api, "namespaces") != 0 {
		t.Errorf("the namespace is %v, %v after %d reads", ns, err, reads(api, "namespaces"))
	}
	for i, name := range []string{"large", "gone"} {
		if _, ok := r.KnownPod("shop", name); ok {
			t.Errorf("pod %s is kept", name)
		}
		if pod, err := r.Pod(t.Context(), "shop", name); (err == nil) != (name == "large") || name == "large" && len(pod.Annotations["large"]) != maxKept || reads(api, "pods") != i+1 {
			t.Errorf("pod %s: %v after %d reads", name, err, reads(api, "pods"))
		}
	}
	// A write was refused: the watch may be what was behind.
	r.pods.forget("shop/web")
	if pod, err := r.Pod(t.Context(), "shop", "web"); err != nil || len(pod.Spec.Volumes) != 1 || reads(api, "pods") != 3 {
		t.Errorf("after a write the pod is %v, %v", pod, err)
	}
}

// TestKeptPodsAreBounded: past the bound pods are not kept, until another is gone or has
// run to its end.
func TestKeptPodsAreBounded(t *testing.T) {
	k := &kept{uids: map[types.UID]bool{"u1": true}}
	for i := range maxPods - 1 {
		k.uids[types.UID(fmt.Sprint("other", i))] = true
	}
	keeps := func(uid string) bool {
		object, err := k.small(followedPod("web", uid))
		if err != nil {
			t.Fatal(err)
		}
		_, ok := object.(*corev1.Pod)
		return ok
	}
	if !keeps("u1") || keeps("u2") {
		t.Error("the pod that was kept has to stay, and another not to be kept")
	}
	k.forget(cache.DeletedFinalStateUnknown{Obj: followedPod("web", "u1")})
	if !keeps("u2") || keeps("u3") {
		t.Error("one that is gone makes room for one")
	}
	ended := followedPod("web", "u2")
	ended.Status.Phase = corev1.PodSucceeded
	if object, err := k.small(ended); err != nil || reflect.TypeOf(object) != reflect.TypeFor[*metav1.PartialObjectMetadata]() {
		t.Errorf("one that has ended is kept as %T (%v)", object, err)
	}
	if !keeps("u3") {
		t.Error("one that has ended makes room for one")
	}
}

// TestFollowedServer: whom the API server asks, and what it does not serve, the watches
// say.
func TestFollowedServer(t *testing.T) {
	r, api := following(t)
	wait.Until(t, "all is followed", func() bool {
		s := r.around.Load()
		return s != nil && s.validating.informer.HasSynced() && s.mutating.informer.HasSynced() && s.apis.informer.HasSynced()
	})
	before := len(api.Actions())
	got, err := r.Backends(t.Context())
	if want := []Backend{{"shop", "policy"}, {"shop", "metrics"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Backends gives %v, %v, want %v", got, err, want)
	}
	if ok, err := r.Serves(t.Context(), "cilium.io", "v2", "ciliumnetworkpolicies"); ok || err != nil {
		t.Errorf("Serves gives %v, %v", ok, err)
	}
	if got, err := r.Versions(t.Context(), "metrics.k8s.io"); err != nil || !reflect.DeepEqual(got, []string{"v1beta1"}) {
		t.Errorf("Versions gives %v, %v", got, err)
	}
	if n := len(api.Actions()) - before; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// BenchmarkKeptPod is what a followed pod takes: one of two containers with probes,
// ports, ten variables each and four volumes.
func BenchmarkKeptPod(b *testing.B) {
	template := followedPod("web", "0b1f6b0e-1111-4222-8333-444455556666")
	c := template.Spec.Containers[0]
	for range 10 {
		c.Env = append(c.Env, corev1.EnvVar{Name: "SOME_VARIABLE", Value: "some value of it"})
	}
	template.Spec.Containers = []corev1.Container{c, c}
	template.Spec.Volumes = make([]corev1.Volume, 4)
	data, err := template.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	heap := func() uint64 {
		goruntime.GC()
		goruntime.GC()
		var m goruntime.MemStats
		goruntime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		const n = 10_000
		kept := make([]*corev1.Pod, n)
		before := heap()
		for i := range kept {
			pod := &corev1.Pod{}
			if err := pod.Unmarshal(data); err != nil {
				b.Fatal(err)
			}
			if _, err := small(pod); err != nil {
				b.Fatal(err)
			}
			kept[i] = pod
		}
		b.ReportMetric(float64(heap()-before)/n, "B/pod")
		goruntime.KeepAlive(kept)
	}
}
