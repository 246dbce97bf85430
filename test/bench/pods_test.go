package bench

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/firebreak-io/firebreak/test/wait"
)

// barePods makes a namespace with ready pods that nothing replaces.
func barePods(b *testing.B, admin kubernetes.Interface, namespace string) []corev1.Pod {
	b.Helper()
	newNamespace(b, admin, namespace)
	for range alerts {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "web-", Labels: web}, Spec: template.Spec}
		if _, err := admin.CoreV1().Pods(namespace).Create(b.Context(), pod, metav1.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	return readyPods(b, admin, namespace)
}

// deployedPods makes a namespace with a Deployment behind a Service.
func deployedPods(b *testing.B, admin kubernetes.Interface, namespace string) []corev1.Pod {
	b.Helper()
	newNamespace(b, admin, namespace)
	_, err := admin.CoreV1().Services(namespace).Create(b.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: web, Ports: []corev1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
	_, err = admin.AppsV1().Deployments(namespace).Create(b.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       appsv1.DeploymentSpec{Replicas: new(int32(alerts)), Selector: &metav1.LabelSelector{MatchLabels: web}, Template: template},
	}, metav1.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return readyPods(b, admin, namespace)
}

var (
	web      = map[string]string{"app": "web"}
	template = corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: web},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
	}
)

func newNamespace(b *testing.B, admin kubernetes.Interface, name string) {
	b.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := admin.CoreV1().Namespaces().Create(b.Context(), ns, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	wait.Until(b, "the namespace has its account", func() bool {
		_, err := admin.CoreV1().ServiceAccounts(name).Get(b.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
}

// readyPods waits until all pods of a namespace are ready.
func readyPods(b *testing.B, admin kubernetes.Interface, namespace string) (pods []corev1.Pod) {
	b.Helper()
	wait.Until(b, "the pods are ready", func() bool {
		list, err := admin.CoreV1().Pods(namespace).List(b.Context(), metav1.ListOptions{})
		if err != nil {
			return false
		}
		pods = list.Items
		return len(pods) == alerts && !slices.ContainsFunc(pods, func(p corev1.Pod) bool { return !ready(p) })
	})
	return pods
}

func ready(p corev1.Pod) bool {
	return len(p.Status.ContainerStatuses) > 0 && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
