package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

func TestCordon(t *testing.T) {
	client := admin(t)
	cordon := build(t, "node.cordon", responder(t, client, nil), nil)
	name := plane(t).Nodes[len(plane(t).Nodes)-1]
	read := func() *corev1.Node {
		t.Helper()
		n, err := client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := read()
	r := action.Request{Key: "run1/cordon", Target: event.NodeRef(name), Now: time.Now(), Until: time.Now().Add(time.Hour)}
	r.Target.UID = string(before.UID)
	plan, done := do(t, cordon, r)
	if !read().Spec.Unschedulable || done.Result != event.ResultApplied {
		t.Fatal(done)
	}
	undo(t, cordon, r, done, event.AtEndRestore)
	after := read()
	if after.Spec.Unschedulable || marks(t, after.ObjectMeta) != marks(t, before.ObjectMeta) {
		t.Errorf("before %s\nafter  %s", marks(t, before.ObjectMeta), marks(t, after.ObjectMeta))
	}
	if _, err := cordon.Do(t.Context(), r, plan); !errors.Is(err, action.ErrConflict) {
		t.Errorf("a late Do: %v", err)
	}
	eventually(t, "taint gone", func(context.Context) error {
		for _, taint := range read().Spec.Taints {
			if taint.Key == corev1.TaintNodeUnschedulable {
				return errors.New("still tainted")
			}
		}
		return nil
	})
}

func TestEventAndLabel(t *testing.T) {
	client := admin(t)
	c, ns := responder(t, client, nil), namespace(t, client)
	webDeployment(t, client, ns, 1)
	pod := ready(t, client, ns, "app=web", 1)[0]
	r := request(pod)
	r.Run = event.Run{ID: "run1", Playbook: "contain", Created: time.Now(), Finding: event.Finding{Title: "Shell in a container", Severity: "high"}}

	tell := build(t, "notify.event", c, nil)
	plan, _ := do(t, tell, r)
	if _, err := tell.Do(t.Context(), r, plan); err != nil {
		t.Errorf("the same Event again: %v", err)
	}
	node := r
	node.Key, node.Target = "run1/node", event.NodeRef(pod.Spec.NodeName)
	do(t, tell, node)
	found, err := client.EventsV1().Events(ns).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=SecurityIncident"})
	if err != nil || len(found.Items) != 1 || found.Items[0].Regarding.UID != pod.UID {
		t.Fatal(found, err)
	}

	label := build(t, "pod.label", c, &action.LabelConfig{Labels: map[string]string{"team": "security", "suspect": "yes"}})
	_, done := do(t, label, r)
	if got := getPod(t, client, ns, pod.Name).Labels; got["team"] != "security" || got["suspect"] != "yes" {
		t.Error(got)
	}
	undo(t, label, r, done, event.AtEndRestore)
	if back := getPod(t, client, ns, pod.Name); marks(t, back.ObjectMeta) != marks(t, pod.ObjectMeta) {
		t.Error(marks(t, back.ObjectMeta))
	}
}

// With one verb fewer the error says which.
func TestMissingPermission(t *testing.T) {
	client := admin(t)
	ns := namespace(t, client)
	webDeployment(t, client, ns, 1)
	pod := ready(t, client, ns, "app=web", 1)[0]
	tests := []struct{ verb, resource, want string }{
		{"create", "networkpolicies", "missing permission: create networkpolicies.networking.k8s.io in namespace " + ns + " (see firebreak rbac)"},
		{"list", "services", "missing permission: list services in namespace " + ns + " (see firebreak rbac)"},
		{"get", "replicasets", "missing permission: get replicasets.apps in namespace " + ns + " (see firebreak rbac)"},
		// The last one: it leaves the policy, which nobody has to create then.
		{"patch", "pods", "missing permission: patch pods in namespace " + ns + " (see firebreak rbac)"},
	}
	for _, tt := range tests {
		t.Run(tt.verb+" "+tt.resource, func(t *testing.T) {
			q := build(t, "pod.quarantine", responder(t, client, without(tt.verb, tt.resource)), nil)
			r := request(pod)
			p, err := q.Plan(t.Context(), r)
			if err == nil {
				_, err = q.Do(t.Context(), r, p)
			}
			if !errors.Is(err, kube.ErrForbidden) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v", err)
			}
			if now := getPod(t, client, ns, pod.Name); marks(t, now.ObjectMeta) != marks(t, pod.ObjectMeta) {
				t.Error("the pod was changed")
			}
		})
	}
}

func without(verb, resource string) func([]kube.Permission) []kube.Permission {
	return func(all []kube.Permission) (left []kube.Permission) {
		for _, p := range all {
			var verbs []string
			for _, v := range p.Verbs {
				if p.Resource != resource || v != verb {
					verbs = append(verbs, v)
				}
			}
			if p.Verbs = verbs; len(verbs) > 0 {
				left = append(left, p)
			}
		}
		return left
	}
}
