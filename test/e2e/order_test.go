package e2e

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// TestUndoInAnyOrder: three runs hold one object, and whichever of the six orders
// they are undone in, it is held until the last of them, and is then as it would be
// without them: labels, policies, replicas.
func TestUndoInAnyOrder(t *testing.T) {
	client := admin(t)
	c, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	ns := namespace(t, client)
	barePod(t, client, ns, "bare", func(p *corev1.Pod) { p.Labels["suspect"] = "before" })
	webDeployment(t, client, ns, 3)
	// look is all that a run may have changed.
	look := func(kind string) string {
		t.Helper()
		switch kind {
		case "pods":
			p, err := client.CoreV1().Pods(ns).Get(t.Context(), "bare", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(p.Labels, p.Annotations, hasPolicy(t, client, ns))
		case "deployments":
			d, err := client.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(d.Annotations, func(k, _ string) bool { return strings.HasPrefix(k, "deployment.kubernetes.io/") })
			return fmt.Sprint(*d.Spec.Replicas, d.Labels, d.Annotations)
		}
		list, err := client.NetworkingV1().NetworkPolicies(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(len(list.Items))
	}
	quarantine := build(t, "pod.quarantine", c, nil)
	suspect := build(t, "pod.label", c, &action.LabelConfig{Labels: map[string]string{"suspect": "yes"}})
	none := build(t, "workload.scale", c, &action.ScaleConfig{})
	cut := build(t, "network.quarantine", c, &action.CutConfig{Scope: action.Scope{Direction: "both", By: "networkpolicy"}, KeepProbes: true})
	for _, set := range []struct {
		target event.Ref
		acts   [3]action.Action
		kind   string
	}{
		{event.Ref{Resource: "pods", Kind: "Pod", Namespace: ns, Name: "bare"}, [3]action.Action{quarantine, suspect, quarantine}, "pods"},
		{event.Ref{Resource: "pods", Kind: "Pod", Namespace: ns, Name: "bare"}, [3]action.Action{suspect, suspect, suspect}, "pods"},
		{event.Ref{Group: "apps", Resource: "deployments", Kind: "Deployment", Namespace: ns, Name: "web"}, [3]action.Action{none, none, none}, "deployments"},
		{event.Ref{Resource: "namespaces", Kind: "Namespace", Name: ns}, [3]action.Action{cut, cut, cut}, "policies"},
	} {
		o, err := c.Get(t.Context(), set.target.Group, "v1", set.target.Resource, set.target.Namespace, set.target.Name)
		if err != nil {
			t.Fatal(err)
		}
		set.target.UID = string(o.GetUID())
		before := look(set.kind)
		for n, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			var requests [3]action.Request
			var done [3]event.Receipt
			for i, act := range set.acts {
				r := request(corev1.Pod{})
				r.Target, r.Key = set.target, fmt.Sprintf("%s/s", event.HashID("order", set.kind, fmt.Sprint(n), fmt.Sprint(i)))
				requests[i] = r
				_, done[i] = do(t, act, r)
			}
			for k, i := range order {
				undone(t, set.acts[i], requests[i], done[i])
				after := look(set.kind)
				if last := k == len(order)-1; last != (after == before) {
					t.Errorf("%s in order %v: after %d of 3 are undone it is %s", set.target, order, k+1, cmp.Diff(before, after))
				}
			}
		}
	}
}

// undone undoes a step, again when a controller was faster.
func undone(t *testing.T, a action.Action, r action.Request, done event.Receipt) {
	t.Helper()
	for range 20 {
		_, err := a.Undo(t.Context(), r, done, event.AtEndRestore)
		if errors.Is(err, action.ErrConflict) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("twenty conflicts")
}
