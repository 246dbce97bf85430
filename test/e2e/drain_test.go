package e2e

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// TestDrain: what a disruption budget keeps stays, and is said; a node with too
// many pods, or one that takes new ones, is refused; what is left out stays.
func TestDrain(t *testing.T) {
	client := admin(t)
	f, ns, left := fencedFor(t, "pod.label", "node.drain"), namespace(t, client), namespace(t, client)
	name := "drain-" + strings.ToLower(rand.Text()[:8])
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{{Key: "test", Effect: corev1.TaintEffectNoExecute}}},
	}
	node, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	unbind(t, name, client.CoreV1().Nodes().Delete)
	place := func(namespace, pod, app string) {
		t.Helper()
		_, err := client.CoreV1().Pods(namespace).Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: pod, Labels: map[string]string{"app": app}},
			Spec: corev1.PodSpec{
				NodeName: name, Containers: []corev1.Container{{Name: "c", Image: "registry.example/web:1"}},
				Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	place(ns, "free-1", "free")
	place(ns, "free-2", "free")
	place(ns, "kept", "kept")
	place(left, "left", "free")
	ready(t, client, ns, "app=free", 2)
	ready(t, client, ns, "app=kept", 1)
	one := intstr.FromInt32(1)
	_, err = client.PolicyV1().PodDisruptionBudgets(ns).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "kept"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "kept"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	r := action.Request{Key: "run1/drain", Target: event.NodeRef(name), Now: now}
	r.Target.UID = string(node.UID)
	few := build(t, "node.drain", f.kube, &action.DrainConfig{AtMost: 2, Leave: []string{left}})
	if _, err := few.Plan(t.Context(), r); !errors.Is(err, action.ErrRefused) {
		t.Error("more pods than at_most:", err)
	}
	a := build(t, "node.drain", f.kube, &action.DrainConfig{AtMost: 10, Within: 3, Leave: []string{left}})
	p, done := do(t, a, r)
	seen, err := a.(action.Verifier).Verify(t.Context(), r, p, done)
	if err != nil || seen.Result != event.ResultPartial || !strings.Contains(strings.Join(seen.Notes, "\n"), "1 of 3 pods are kept by disruption budgets: "+ns+"/kept") {
		t.Error(seen, err)
	}
	if done.Output["evicted"] != "2" || done.Output["left"] != "1" {
		t.Error(done.Output)
	}
	if pod := getPod(t, client, ns, "kept"); pod.DeletionTimestamp != nil {
		t.Error("the pod that a budget keeps is deleted")
	}
	if pod := getPod(t, client, left, "left"); pod.DeletionTimestamp != nil {
		t.Error("the pod that is left out is deleted")
	}
	open := `{"spec":{"unschedulable":null}}`
	if _, err := client.CoreV1().Nodes().Patch(t.Context(), name, "application/merge-patch+json", []byte(open), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if p, err = a.Plan(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Do(t.Context(), r, p); !errors.Is(err, action.ErrRefused) {
		t.Error("of a node that takes new pods:", err)
	}
}
