package respond

import (
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestQuestionsByBlast: what the guards say is grave takes two different
// people, whatever the playbook says, and when it becomes grave after one said
// yes, people are asked again.
func TestQuestionsByBlast(t *testing.T) {
	grave := 2
	w := play(t, book(ask))
	w.verdict = func(int) []event.Verdict {
		return []event.Verdict{{Guard: "eyes", Decision: event.Pass, Reason: "it is about a node", Need: grave}}
	}
	w.turn()
	if a := w.run.Approval; a.Need != 2 || len(a.Reasons) == 0 {
		t.Fatalf("the question is %+v", a)
	}
	w.vote("ann", true).want(event.RunAwaiting, "")
	w.vote("ann", true).want(event.RunAwaiting, "") // once is once
	w.vote("bob", true)
	if w.run.State == event.RunAwaiting || w.run.Steps[0].Yes != 2 && w.run.Steps[1].Yes != 2 {
		t.Fatalf("run is %s with %+v", w.run.State, w.run.Steps)
	}

	grave = 0
	w = play(t, book(ask))
	asked := 0
	w.verdict = func(int) []event.Verdict {
		v := event.Verdict{Guard: "budget", Decision: event.Pass, Reason: "there is room"}
		if w.run.Approval != nil && w.run.Approval.State == event.ApprovalGranted || asked > 0 {
			asked++ // it is full by the time that somebody said yes
			v.Decision, v.Reason, v.Need = event.Ask, "10 of 10 pods", 2
		}
		return []event.Verdict{v}
	}
	w.turn().vote("ann", true).want(event.RunAwaiting, "")
	if a := w.run.Approval; a.Need != 2 || len(a.Votes) != 0 || a.State != event.ApprovalOpen {
		t.Fatalf("the question after the budget was full is %+v", a)
	}
	w.vote("ann", true).vote("bob", true)
	if w.run.State == event.RunAwaiting {
		t.Errorf("run is %s: %+v", w.run.State, w.run.Approval)
	}
}

// TestTargetThatChanged: a pod whose labels no longer are what the playbook is
// for, or what the event showed, is not acted on by itself.
func TestTargetThatChanged(t *testing.T) {
	const labelled = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: mark}
spec:
  when: finding.rule == "shell" and target.labels["app"] == "web"
  mode: act
  steps:
    - {name: label, action: pod.label, with: {labels: {suspect: "yes"}}, undo_after: 1h}
`
	r := newRig(t, newCluster("same", "relabelled", "shown"), labelled)
	if err := r.control.Pause(t.Context(), Pause{By: "ann"}); err != nil {
		t.Fatal(err)
	}
	r.start()
	for i, name := range []string{"same", "relabelled", "shown"} {
		f := finding("shell", name, i)
		if name == "shown" {
			f.Subject.Labels = map[string]string{"app": "db"}
		}
		r.publish(f)
	}
	r.until("all are planned", func() bool {
		for _, run := range r.runs() {
			if run.Steps[0].State != event.StepPlanned {
				return false
			}
		}
		return len(r.runs()) == 3
	})
	r.cluster.relabel("relabelled", "app", "shop")
	if _, err := r.control.Resume(t.Context(), "ann", r.worker.now()); err != nil {
		t.Fatal(err)
	}
	r.until("one holds and two ask", func() bool {
		return len(r.in(event.RunHolding)) == 1 && len(r.in(event.RunAwaiting)) == 2
	})
	if v, _ := r.cluster.label("same", "suspect"); v != "yes" {
		t.Error("the pod that is as it was was left alone")
	}
}

func (c *cluster) relabel(pod, key, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.pods[pod].Labels[key] = value
	c.pods[pod].ResourceVersion = "r" + value
}
