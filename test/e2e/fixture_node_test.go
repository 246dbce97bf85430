package e2e

import (
	"crypto/rand"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

var nodeResource = action.Resource{Version: "v1", Resource: "nodes"}

// controlled makes a node one of the control plane.
func controlled(c *trial, name string) {
	c.patch(name, `{"metadata":{"labels":{"node-role.kubernetes.io/control-plane":""}}}`)
}

func init() {
	conform(fixture{
		kind: "node.label", at: nodeResource, make: makeNode, ready: nodeReady, trim: nodeTrim, moves: true, protect: controlled,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetLabels()["suspect"], "yes", "label")
		},
		meddle: func(c *trial, name string) { c.patch(name, `{"metadata":{"labels":{"suspect":"theirs","x":"y"}}}`) },
		kept: func(_ *trial, o *unstructured.Unstructured) string {
			return want(o.GetLabels()["suspect"]+o.GetLabels()["x"], "theirsy", "labels")
		},
	})
	theirs := `{"spec":{"taints":[{"key":"conformance","effect":"NoExecute"},{"key":"theirs","effect":"NoSchedule"}]}}`
	keepsTheirs := func(_ *trial, o *unstructured.Unstructured) string {
		return want(taints(o), "conformance theirs", "taints")
	}
	conform(fixture{
		kind: "node.taint", at: nodeResource, make: makeNode, ready: nodeReady, trim: nodeTrim, moves: true, protect: controlled,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			return want(taints(o), "conformance firebreak.io/suspect", "taints")
		},
		meddle: func(c *trial, name string) { c.patch(name, theirs) },
		kept:   keepsTheirs,
	})
	owned := "only a pod with such an owner reads it"
	isolate := fixture{
		kind: "node.isolate", at: nodeResource, make: makeBusyNode(false), ready: nodeReady, trim: nodeTrim, moves: true, protect: controlled,
		config: func(c *trial) any {
			k, _ := action.Lookup("node.isolate")
			config := k.Config().(*action.IsolateConfig)
			config.Quarantine, config.Namespaces = true, []string{c.ns}
			return config
		},
		result: []event.Result{event.ResultUnverified},
		held: func(c *trial, o *unstructured.Unstructured) string {
			if on, _, _ := unstructured.NestedBool(o.Object, "spec", "unschedulable"); !on {
				return "the node is not cordoned"
			}
			for _, p := range c.podsOn(o.GetName()) {
				if p.Labels[action.HoldKey] != action.HoldQuarantine {
					return "pod " + p.Name + " is not in quarantine"
				}
			}
			return want(taints(o), "conformance firebreak.io/suspect", "taints")
		},
		meddle: func(c *trial, name string) { c.patch(name, theirs) },
		kept:   keepsTheirs,
		around: []action.Resource{{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}},
		rare: map[string]string{
			"get replicasets.apps": owned, "get statefulsets.apps": owned, "get jobs.batch": owned,
			"get replicationcontrollers": owned, "delete pods": "only a hold that ends by deleting the pods",
		},
		never: map[string]string{"get jobs.batch": "the pods of Jobs end at once here, and what has ended stays"},
	}
	deleted := isolate
	deleted.end = event.AtEndDelete
	isolate.ways = []fixture{deleted}
	for _, owner := range []action.Resource{replicaSets, statefulSets, replicators} {
		w := isolate
		w.make = makeNodeOf(owner)
		isolate.ways = append(isolate.ways, w)
	}
	conform(isolate)
	conform(fixture{
		kind: "node.drain", at: nodeResource, make: makeBusyNode(true), ready: drainable, trim: nodeTrim, moves: true,
		changes: true, // what is gone is not evicted again
		held: func(c *trial, o *unstructured.Unstructured) string {
			if left := c.podsOn(o.GetName()); len(left) > 0 {
				return "pod " + left[0].Name + " is there still"
			}
			return ""
		},
	})
}

// drainable waits until the node's controllers have seen that it is cordoned.
func drainable(o *unstructured.Unstructured) error {
	if list, _, _ := unstructured.NestedSlice(o.Object, "spec", "taints"); len(list) != 2 {
		return fmt.Errorf("has taints %v", list)
	}
	return nil
}

// taints are the keys of a node's taints, without those of its controllers.
func taints(o *unstructured.Unstructured) string {
	m := o.DeepCopy().Object
	nodeTrim(m)
	list, _, _ := unstructured.NestedSlice(m, "spec", "taints")
	var keys []string
	for _, t := range list {
		keys = append(keys, t.(map[string]any)["key"].(string))
	}
	return strings.Join(keys, " ")
}

// podsOn are the pods of the trial that run on a node and stay.
func (c *trial) podsOn(node string) []corev1.Pod {
	c.t.Helper()
	list, err := c.admin.CoreV1().Pods(c.ns).List(c.ctx(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	c.no(err, "list pods")
	var stay []corev1.Pod
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			stay = append(stay, p)
		}
	}
	return stay
}

// makeBusyNode makes a node with two pods on it.
func makeBusyNode(cordoned bool) func(c *trial, name string) {
	return func(c *trial, name string) {
		for _, p := range c.podsOn(name) { // of an earlier node of the name
			zero := int64(0)
			_ = c.admin.CoreV1().Pods(c.ns).Delete(c.ctx(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero})
		}
		makeNode(c, name)
		if cordoned {
			c.patch(name, `{"spec":{"unschedulable":true}}`)
		}
		for range 2 {
			c.create(podResource, true, corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{Name: "busy-" + strings.ToLower(rand.Text()[:8]), Labels: map[string]string{"app": "web"}},
				Spec: corev1.PodSpec{
					NodeName: name, Containers: []corev1.Container{{Name: "web", Image: "registry.example/web:1"}},
					Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
				},
			})
		}
	}
}

// makeNodeOf makes a node with one pod of an owner on it.
func makeNodeOf(owner action.Resource) func(c *trial, name string) {
	return func(c *trial, name string) {
		makeNode(c, name)
		app := strings.ToLower(rand.Text()[:8])
		c.create(owner, true, workload(owner, app, 1, corev1.PodSpec{NodeName: name, Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}}))
		c.podOf(app)
	}
}
