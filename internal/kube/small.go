package kube

import (
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// maxKept is how large a pod may be, in bytes as it is sent, once what nobody looks
// at is left out. A larger one is not kept, and read whenever it is asked for: who
// may make pods must not say how much memory they take here.
const maxKept = 8 << 10

// maxPods is how many pods are kept, of about 4 KB each (BenchmarkKeptPod). Of others,
// and of those that have run to their end, only the names are, and they are read
// whenever they are asked for.
const maxPods = 20_000

// kept are the pods that a watch keeps. The zero value is ready.
type kept struct {
	mu   sync.Mutex
	uids map[types.UID]bool
}

// small is [small] for pods, within [maxPods].
func (k *kept) small(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
	}
	smallPod(pod)
	over := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if over {
		k.forget(pod)
	}
	if over || pod.Size() > maxKept || !k.has(pod.UID) {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		}}, nil
	}
	return pod, nil
}

// has says whether a pod is kept, and takes it in if there is room.
func (k *kept) has(uid types.UID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.uids == nil {
		k.uids = map[types.UID]bool{}
	}
	if !k.uids[uid] && len(k.uids) < maxPods {
		k.uids[uid] = true
	}
	return k.uids[uid]
}

// forget makes room when a pod is gone.
func (k *kept) forget(object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	if m, err := meta.Accessor(object); err == nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.uids, m.GetUID())
	}
}

// small leaves out of a watched object what nobody here looks at.
func small(object any) (any, error) {
	if m, err := meta.Accessor(object); err == nil {
		m.SetManagedFields(nil)
	}
	switch o := object.(type) {
	case *corev1.Node:
		o.Status.Images = nil
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for i := range o.Webhooks {
			o.Webhooks[i] = admissionregistrationv1.ValidatingWebhook{ClientConfig: serviceOnly(o.Webhooks[i].ClientConfig)}
		}
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for i := range o.Webhooks {
			o.Webhooks[i] = admissionregistrationv1.MutatingWebhook{ClientConfig: serviceOnly(o.Webhooks[i].ClientConfig)}
		}
	case *unstructured.Unstructured:
		// Of an aggregated API the bundle of its certificates is the most.
		spec, _ := o.Object["spec"].(map[string]any)
		o.Object["spec"] = map[string]any{"service": spec["service"]}
		delete(o.Object, "status")
	}
	return object, nil
}

func serviceOnly(c admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{Service: c.Service}
}

// smallPod keeps of a pod what resolving, plans and guards look at: who it is, whose
// and where, its labels and annotations, how it is selected, probed and protected.
// Of who manages its fields it keeps the names, by which GitOps tools are known.
func smallPod(pod *corev1.Pod) {
	for i, m := range pod.ManagedFields {
		pod.ManagedFields[i] = metav1.ManagedFieldsEntry{Manager: m.Manager, Operation: m.Operation}
	}
	delete(pod.Annotations, corev1.LastAppliedConfigAnnotation)
	pod.Spec.Volumes, pod.Spec.Tolerations, pod.Spec.Affinity, pod.Spec.TopologySpreadConstraints = nil, nil, nil, nil
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			c := &list[i]
			list[i] = corev1.Container{
				Name: c.Name, Image: c.Image, Ports: c.Ports, RestartPolicy: c.RestartPolicy,
				LivenessProbe: c.LivenessProbe, ReadinessProbe: c.ReadinessProbe, StartupProbe: c.StartupProbe,
			}
		}
	}
}
