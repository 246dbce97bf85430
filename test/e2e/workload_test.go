package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

var (
	web      = map[string]string{"app": "web"}
	selector = &metav1.LabelSelector{MatchLabels: web}
)

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "web", "team": "shop"}, Annotations: map[string]string{"note": "a \"quoted\" one"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.example/web:1"}}},
	}
}

func webService(t *testing.T, client kubernetes.Interface, ns string) {
	t.Helper()
	_, err := client.CoreV1().Services(ns).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: web, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func webDeployment(t *testing.T, client kubernetes.Interface, ns string, replicas int32) {
	t.Helper()
	_, err := client.AppsV1().Deployments(ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas, Selector: selector, Template: template()},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// ready lists the pods of a selector once there are n and all of them ready
// and staying.
func ready(t *testing.T, client kubernetes.Interface, ns, selector string, n int) []corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	eventually(t, fmt.Sprintf("%d ready pods of %q", n, selector), func(ctx context.Context) error {
		list, err := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return err
		}
		pods = list.Items
		up := slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return !isReady(p) })
		if len(up) != n || len(pods) != n {
			return fmt.Errorf("%d pods, %d ready", len(pods), len(up))
		}
		return nil
	})
	return pods
}

func isReady(p corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// endpoints waits until the Service has exactly these pods behind it.
func endpoints(t *testing.T, client kubernetes.Interface, ns string, pods ...string) {
	t.Helper()
	slices.Sort(pods)
	eventually(t, "endpoints", func(ctx context.Context) error {
		list, err := client.DiscoveryV1().EndpointSlices(ns).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=web"})
		if err != nil {
			return err
		}
		var names []string
		for _, s := range list.Items {
			for _, e := range s.Endpoints {
				names = append(names, e.TargetRef.Name)
			}
		}
		slices.Sort(names)
		if !slices.Equal(names, pods) {
			return fmt.Errorf("endpoints are %q, want %q", names, pods)
		}
		return nil
	})
}

// stay makes a ReplicaSet with a pod too many take away another than these,
// which it goes by before anything else that it can choose by: without it, it
// goes by nodes and rough ages. It gives the pods as they are then.
func stay(t *testing.T, client kubernetes.Interface, pods []corev1.Pod) []corev1.Pod {
	t.Helper()
	var now []corev1.Pod
	for _, p := range pods {
		patch := []byte(`{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"1000"}}}`)
		pod, err := client.CoreV1().Pods(p.Namespace).Patch(t.Context(), p.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			t.Fatal(err)
		}
		now = append(now, *pod)
	}
	return now
}

func names(pods []corev1.Pod) []string {
	out := make([]string, 0, len(pods))
	for _, p := range pods {
		out = append(out, p.Name)
	}
	slices.Sort(out)
	return out
}

func getPod(t *testing.T, client kubernetes.Interface, ns, name string) *corev1.Pod {
	t.Helper()
	pod, err := client.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// marks are a pod's or node's labels and annotations to the byte.
func marks(t *testing.T, meta metav1.ObjectMeta) string {
	t.Helper()
	text, err := json.Marshal([]any{meta.Labels, meta.Annotations})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
