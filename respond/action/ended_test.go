package action

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestPlansOfWhatHasEnded: a plan says the truth of a target that has ended, or is
// as wanted already, and does nothing where nothing is to be done.
func TestPlansOfWhatHasEnded(t *testing.T) {
	condition := func(kind, status string) object {
		return object{"status": object{"conditions": []any{object{"type": kind, "status": status}}}}
	}
	spec := func(parts object) object { return object{"spec": parts} }
	ended := func(phase corev1.PodPhase) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Phase = phase }
	}
	stopping := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} }
	for name, tt := range map[string]struct {
		action string
		at     Resource
		parts  object
		pod    func(*corev1.Pod)
		writes int
		says   string
		not    string
	}{
		"suspend a Job that is done":      {action: workloadSuspend, at: jobs, parts: condition("Complete", "True"), says: "has ended (Complete)", not: "active pods"},
		"suspend a Job that failed":       {action: workloadSuspend, at: jobs, parts: condition("Failed", "True"), says: "has ended (Failed)"},
		"suspend a Job that is to fail":   {action: workloadSuspend, at: jobs, parts: condition("Failed", "False"), writes: 1, says: "active pods are deleted"},
		"suspend a Job that is suspended": {action: workloadSuspend, at: jobs, parts: spec(object{"suspend": true}), says: "is so already"},
		"suspend a suspended CronJob":     {action: workloadSuspend, at: cronJobs, parts: spec(object{"suspend": true}), says: "is so already"},
		"scale what is at zero":           {action: workloadScale, at: deployments, parts: spec(object{"replicas": 0}), says: "is so already", not: "are deleted"},
		"pause what is paused":            {action: workloadPause, at: deployments, parts: spec(object{"paused": true}), says: "is so already"},
		"restart what is paused":          {action: workloadRestart, at: deployments, parts: spec(object{"replicas": 2, "paused": true}), writes: 1, says: "nothing is replaced until they go on"},
		"restart what has no pods":        {action: workloadRestart, at: deployments, parts: spec(object{"replicas": 0}), writes: 1, says: "has no pods to replace", not: "is lost"},
		"cordon what is cordoned":         {action: nodeCordon, at: nodes, parts: spec(object{"unschedulable": true}), says: "is so already"},
		"evict a pod that is done":        {action: podEvict, pod: ended(corev1.PodSucceeded), writes: 1, says: "has ended (Succeeded)", not: "memory"},
		"delete a pod that failed":        {action: podDelete, pod: ended(corev1.PodFailed), writes: 1, says: "has ended (Failed)", not: "memory"},
		"delete a pod that is stopping":   {action: podDelete, pod: stopping, writes: 1, says: "is stopping already"},
		"quarantine a pod that is done":   {action: podQuarantine, pod: ended(corev1.PodSucceeded), writes: 2, says: "has ended (Succeeded)", not: "held: by all policies"},
		"quarantine a pod that failed":    {action: podQuarantine, pod: ended(corev1.PodFailed), writes: 2, says: "only keeps it as evidence", not: "leaks"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			var r Request
			switch {
			case tt.pod != nil:
				p := pod("web-1", map[string]string{"app": "web"})
				tt.pod(p)
				f.put(t, "networkpolicies", policy("allow-all", metav1.LabelSelector{}))
				r = podRequest("run1/s", "web-1", f.put(t, "pods", p))
			case tt.at == nodes:
				f.put(t, "nodes", object{"metadata": object{"name": "n1"}, "spec": tt.parts["spec"]})
				r = nodeRequest("run1/s", "n1", f.objects[at("nodes", "", "n1")]["metadata"].(object)["uid"].(string))
			default:
				r = stored(t, f, tt.at, "X", "web", tt.parts)
			}
			a := build(t, tt.action, Deps{Cluster: f}, nil)
			p, err := a.Plan(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			said := strings.Join(append(p.Notes, p.Summary), "; ")
			if len(p.Writes) != tt.writes || !strings.Contains(said, tt.says) || tt.not != "" && strings.Contains(said, tt.not) {
				t.Fatalf("%d writes, %s", len(p.Writes), said)
			}
			if tt.writes > 0 {
				return
			}
			if done, err := a.Do(t.Context(), r, p); err != nil || done.Result != event.ResultNothing || len(f.landed) > 0 || !strings.Contains(p.Summary, "nothing to do") {
				t.Errorf("%+v %v, wrote %v; %s", done, err, f.landed, p.Summary)
			}
		})
	}
}
