package main

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/component-base/version"
)

const controlPlaneLabel = "node-role.kubernetes.io/control-plane"

// makeNodes makes a node of the control plane and n workers, and returns their names.
func makeNodes(ctx context.Context, client kubernetes.Interface, n int) ([]string, error) {
	nodes := []*corev1.Node{newNode("control-plane", 0)}
	nodes[0].Labels[controlPlaneLabel] = ""
	nodes[0].Spec.Taints = []corev1.Taint{{Key: controlPlaneLabel, Effect: corev1.TaintEffectNoSchedule}}
	for i := range n {
		nodes = append(nodes, newNode(fmt.Sprintf("worker-%d", i+1), i+1))
	}
	names := make([]string, len(nodes))
	for i, node := range nodes {
		if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("make node %s: %w", node.Name, err)
		}
		names[i] = node.Name
	}
	return names, nil
}

// newNode describes a small machine. kwok fills in the address, the port and the conditions.
func newNode(name string, index int) *corev1.Node {
	cidr := fmt.Sprintf("10.244.%d.0/24", index)
	has := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("8"),
		corev1.ResourceMemory:           resource.MustParse("32Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("100Gi"),
		corev1.ResourcePods:             resource.MustParse("110"),
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: runtime.GOARCH,
		}},
		Spec: corev1.NodeSpec{PodCIDR: cidr, PodCIDRs: []string{cidr}},
		Status: corev1.NodeStatus{
			Capacity: has, Allocatable: has,
			NodeInfo: corev1.NodeSystemInfo{
				Architecture: runtime.GOARCH, OperatingSystem: "linux", OSImage: "kwok",
				KubeletVersion: version.Get().GitVersion, ContainerRuntimeVersion: "containerd://2.1.0",
			},
		},
	}
}

// nodesReady reports whether n nodes are ready and the controllers know it: a pod can go there.
func nodesReady(ctx context.Context, client kubernetes.Interface, n int) bool {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != n {
		return false
	}
	return !slices.ContainsFunc(list.Items, func(node corev1.Node) bool {
		ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		waits := slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeNotReady })
		return !ready || waits
	})
}

// takesPods reports whether a pod can be made at once: its default service account must be there.
func takesPods(ctx context.Context, client kubernetes.Interface) bool {
	_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	return err == nil
}
