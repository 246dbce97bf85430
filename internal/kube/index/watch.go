package index

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// clients are the ways in which the index asks.
type clients struct {
	typed    kubernetes.Interface
	metadata metadata.Interface
	dynamic  dynamic.Interface
}

func newClients(config *rest.Config) (*clients, error) {
	var c clients
	var err error
	if c.typed, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make Kubernetes client: %w", err)
	}
	if c.metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make Kubernetes client: %w", err)
	}
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make Kubernetes client: %w", err)
	}
	return &c, nil
}

func (x *Index) feed(resource string) *feed {
	return &feed{resource: resource, logger: x.o.Logger, mu: &x.mu}
}

func (x *Index) podFeed(c *clients) *feed {
	f, api := x.feed("pods"), c.typed.CoreV1().Pods(metav1.NamespaceAll)
	f.list = func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		list, err := api.List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			trimPod(&list.Items[i])
		}
		return list, nil
	}
	f.watch = func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return api.Watch(ctx, o) }
	f.trim = func(obj any) any {
		if pod, ok := obj.(*corev1.Pod); ok {
			trimPod(pod)
		}
		return obj
	}
	f.put = func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok {
			x.pods.put(podOf(pod), time.Now())
			x.tell()
		}
	}
	f.remove = func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok {
			// The last state is in the notice of the deletion.
			x.pods.put(podOf(pod), time.Now())
			x.pods.remove(x.pods.byUID[string(pod.UID)], time.Now(), time.Now())
		}
	}
	f.replace = func(all []any, contact time.Time) {
		pods := make([]*Pod, 0, len(all))
		for _, obj := range all {
			if pod, ok := obj.(*corev1.Pod); ok {
				pods = append(pods, podOf(pod))
			}
		}
		x.pods.replace(pods, contact, time.Now())
		x.tell()
	}
	return f
}

// trimPod drops of a pod what the index never asks for, before a list of many
// is in memory.
func trimPod(pod *corev1.Pod) {
	pod.ManagedFields = nil
	pod.Spec.Volumes, pod.Spec.Tolerations, pod.Spec.Affinity, pod.Spec.TopologySpreadConstraints = nil, nil, nil, nil
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			list[i] = corev1.Container{Name: list[i].Name, Image: list[i].Image}
		}
	}
	pod.Status.Conditions = nil
}

func (x *Index) nodeFeed(c *clients) *feed {
	f, api := x.feed("nodes"), c.typed.CoreV1().Nodes()
	f.list = func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return api.List(ctx, o) }
	f.watch = func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return api.Watch(ctx, o) }
	f.trim = func(obj any) any {
		if node, ok := obj.(*corev1.Node); ok {
			node.ManagedFields, node.Annotations, node.Status.Images, node.Status.Conditions = nil, nil, nil, nil
		}
		return obj
	}
	f.put = func(obj any) {
		if node, ok := obj.(*corev1.Node); ok {
			x.nodes.put(nodeOf(node))
		}
	}
	f.remove = func(obj any) {
		if node, ok := obj.(*corev1.Node); ok {
			x.nodes.remove(node.Name)
		}
	}
	f.replace = func(all []any, _ time.Time) {
		nodes := make([]*nodeEntry, 0, len(all))
		for _, obj := range all {
			if node, ok := obj.(*corev1.Node); ok {
				nodes = append(nodes, nodeOf(node))
			}
		}
		x.nodes.replace(nodes)
	}
	return f
}

// ownerFeed watches the metadata of what stands between pods and workloads.
func (x *Index) ownerFeed(c *clients, group, resource string) *feed {
	f, api := x.feed(resource), c.metadata.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: resource})
	known := map[string]bool{}
	f.list = func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return api.List(ctx, o) }
	f.watch = func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return api.Watch(ctx, o) }
	f.trim = func(obj any) any {
		if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
			m.ManagedFields, m.Annotations, m.Labels = nil, nil, nil
		}
		return obj
	}
	f.put = func(obj any) {
		if m, ok := obj.(metav1.Object); ok {
			known[string(m.GetUID())] = true
			x.owners.put(m)
		}
	}
	f.remove = func(obj any) {
		if m, ok := obj.(metav1.Object); ok {
			delete(known, string(m.GetUID()))
			x.owners.remove(string(m.GetUID()), time.Now())
		}
	}
	f.replace = func(all []any, _ time.Time) {
		owners := make([]metav1.Object, 0, len(all))
		for _, obj := range all {
			if m, ok := obj.(metav1.Object); ok {
				owners = append(owners, m)
			}
		}
		x.owners.replace(owners, known, time.Now())
		clear(known)
		for _, m := range owners {
			known[string(m.GetUID())] = true
		}
	}
	return f
}

// reportFeed watches VulnerabilityReports, of which only numbers are kept: one
// report can hold thousands of vulnerabilities.
func (x *Index) reportFeed(c *clients) *feed {
	f, api := x.feed(reportResource.Resource), c.dynamic.Resource(reportResource)
	f.list = func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		list, err := api.List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			trimReport(&list.Items[i])
		}
		return list, nil
	}
	f.watch = func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return api.Watch(ctx, o) }
	f.trim = func(obj any) any {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			trimReport(u)
		}
		return obj
	}
	f.put = func(obj any) {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			x.reports.put(reportOf(u))
		}
	}
	f.remove = func(obj any) {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			x.reports.remove(string(u.GetUID()))
		}
	}
	f.replace = func(all []any, _ time.Time) {
		reports := make([]*report, 0, len(all))
		for _, obj := range all {
			if u, ok := obj.(*unstructured.Unstructured); ok {
				reports = append(reports, reportOf(u))
			}
		}
		x.reports.replace(reports)
	}
	return f
}
