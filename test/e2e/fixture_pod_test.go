package e2e

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

func init() {
	const note, label = "security.example/case", "suspect"
	conform(fixture{
		kind: "pod.annotate", at: podResource, make: makePod, ready: podReady,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetAnnotations()[note], "4711", "annotation")
		},
		meddle: func(c *trial, name string) {
			c.patch(name, `{"metadata":{"annotations":{"`+note+`":"theirs","x":"y"}}}`)
		},
		kept: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetAnnotations()[note]+o.GetAnnotations()["x"], "theirsy", "annotations")
		},
	})
	conform(fixture{
		kind: "pod.label", at: podResource, make: makePod, ready: podReady,
		held:   func(_ *trial, o *unstructured.Unstructured) string { return want(o.GetLabels()[label], "yes", "label") },
		meddle: func(c *trial, name string) { c.patch(name, `{"metadata":{"labels":{"`+label+`":"no","x":"y"}}}`) },
		kept: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetLabels()[label]+o.GetLabels()["x"], "noy", "labels")
		},
	})
	owned := "only a pod with such an owner reads it"
	quarantine := fixture{
		kind: "pod.quarantine", at: podResource, make: makePod, ready: podReady,
		result: []event.Result{event.ResultUnverified, event.ResultEnforced, event.ResultApplied},
		held: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetLabels()[action.HoldKey], action.HoldQuarantine, "label")
		},
		meddle: func(c *trial, name string) { c.patch(name, `{"metadata":{"labels":{"team":"theirs","x":"y"}}}`) },
		kept: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetLabels()["team"]+o.GetLabels()["x"], "theirsy", "labels")
		},
		around: []action.Resource{{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}},
		rare: map[string]string{
			"get replicasets.apps": owned, "get statefulsets.apps": owned, "get daemonsets.apps": owned, "get jobs.batch": owned,
			"get replicationcontrollers": owned, "delete pods": "only a hold that ends by deleting the pod",
		},
	}
	deleted := quarantine
	deleted.end = event.AtEndDelete
	sealed := quarantine
	sealed.config = func(*trial) any { return &action.QuarantineConfig{} }
	sealed.result = []event.Result{event.ResultPartial} // without Cilium its node can't be kept out
	quarantine.ways = append(quarantine.ofOwners(replicaSets, statefulSets, daemonSets, jobResource, replicators), deleted, sealed)
	conform(quarantine)
	conform(fixture{
		kind: "node.cordon", at: action.Resource{Version: "v1", Resource: "nodes"}, make: makeNode, ready: nodeReady, trim: nodeTrim, moves: true,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			if on, _, _ := unstructured.NestedBool(o.Object, "spec", "unschedulable"); !on {
				return "the node is not cordoned"
			}
			return ""
		},
		meddle: func(c *trial, name string) { c.patch(name, `{"metadata":{"labels":{"x":"y"}}}`) },
		kept:   func(_ *trial, o *unstructured.Unstructured) string { return want(o.GetLabels()["x"], "y", "label") },
		protect: func(c *trial, name string) {
			c.patch(name, `{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}`)
		},
	})
}

// want says how a value differs.
func want(got, wanted, what string) string {
	if got != wanted {
		return what + " is " + got + ", want " + wanted
	}
	return ""
}

// makeNode makes a node that no pod is put on.
func makeNode(c *trial, name string) {
	c.create(action.Resource{Version: "v1", Resource: "nodes"}, false, corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "conformance", Effect: corev1.TaintEffectNoExecute}}},
	})
}

// nodeReady waits until nothing about a new node changes.
func nodeReady(o *unstructured.Unstructured) error {
	taints, _, _ := unstructured.NestedSlice(o.Object, "spec", "taints")
	if len(taints) != 1 {
		return fmt.Errorf("has taints %v", taints)
	}
	return nil
}

// nodeTrim takes out what the node's controllers set and take off: taints, and
// how old what its kubelet keeps may be.
func nodeTrim(o map[string]any) {
	unstructured.RemoveNestedField(o, "metadata", "annotations", "node.alpha.kubernetes.io/ttl")
	if notes, _, _ := unstructured.NestedMap(o, "metadata", "annotations"); len(notes) == 0 {
		unstructured.RemoveNestedField(o, "metadata", "annotations")
	}
	taints, _, _ := unstructured.NestedSlice(o, "spec", "taints")
	taints = slices.DeleteFunc(taints, func(t any) bool {
		key, _ := t.(map[string]any)["key"].(string)
		return strings.HasPrefix(key, "node.kubernetes.io/")
	})
	_ = unstructured.SetNestedSlice(o, taints, "spec", "taints")
}
