package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// comes waits for the run of a playbook on a target to come to a state, and says
// yes to what it asks.
func (m *imported) comes(playbook, target string, states ...event.RunState) (run event.Run) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("run of %s on %s is %v", playbook, target, states), func(ctx context.Context) error {
		var runs []event.Run
		if _, err := m.call(ctx, http.MethodGet, "/v1/runs", m.people[0], nil, &runs); err != nil {
			return err
		}
		i := slices.IndexFunc(runs, func(r event.Run) bool { return r.Playbook == playbook && r.Target.Name == target })
		if i < 0 {
			return errors.New("there is none")
		}
		run = runs[i]
		switch {
		case slices.Contains(states, run.State):
			return nil
		case run.State.Terminal():
			m.t.Fatalf("it is %s: %s %s", run.State, run.Reason, said(run))
		case run.State == event.RunAwaiting && run.Approval != nil:
			for _, token := range m.people {
				// One who started it, or said so before, is refused.
				_, _ = m.call(ctx, http.MethodPost, "/v1/runs/"+run.ID+"/approve", token, map[string]string{"digest": run.Approval.Digest}, nil)
			}
		}
		return fmt.Errorf("it is %s: %s", run.State, run.Reason)
	})
	return run
}

// said is what steps came to.
func said(run event.Run) string {
	var b strings.Builder
	for _, s := range run.Steps {
		fmt.Fprintf(&b, "\n%s %s is %s: %s", s.Name, s.Action, s.State, s.Error)
	}
	return b.String()
}

// made are the kinds of objects that a run made, each of which is there. No step
// of it failed or was left out.
func (m *imported) made(run event.Run) []string {
	m.t.Helper()
	kinds := map[string]bool{}
	for _, s := range run.Steps {
		if s.State != event.StepDone && s.State != event.StepExpanded {
			m.t.Errorf("step %s of %s is %s: %s", s.Name, run.Playbook, s.State, s.Error)
		}
	}
	for _, w := range created(run) {
		if _, err := m.root.Get(m.t.Context(), w.Group, w.Version, w.Resource, w.Namespace, w.Name); err != nil {
			m.t.Errorf("%s %s/%s: %v", w.Resource, w.Namespace, w.Name, err)
		}
		kinds[w.Resource] = true
	}
	return slices.Sorted(maps.Keys(kinds))
}

// created are the writes of objects that an undo takes away.
func created(run event.Run) (all []event.Write) {
	for _, s := range run.Steps {
		if s.Plan == nil || !s.Plan.Reversible {
			continue
		}
		for _, w := range s.Plan.Writes {
			if w.Verb == "create" && w.Resource != "events" {
				all = append(all, w)
			}
		}
	}
	return all
}

// undo undoes a run as a person does, and looks that what it made is gone.
func (m *imported) undo(run event.Run) {
	m.t.Helper()
	if _, err := m.call(m.t.Context(), http.MethodPost, "/v1/runs/"+run.ID+"/undo", m.people[0], map[string]string{"reason": "over"}, nil); err != nil {
		m.t.Fatal(err)
	}
	m.comes(run.Playbook, run.Target.Name, event.RunClosed)
	for _, w := range created(run) {
		eventually(m.t, w.Resource+" "+w.Name+" is gone", func(ctx context.Context) error {
			if _, err := m.root.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name); !errors.Is(err, kube.ErrNotFound) {
				return fmt.Errorf("it is there: %w", cmpError(err))
			}
			return nil
		})
	}
}

// events waits for a Kubernetes Event about a pod.
func (m *imported) events(namespace, pod, reason, note string) {
	m.t.Helper()
	eventually(m.t, reason+" on "+pod, func(ctx context.Context) error {
		list, err := m.admin.EventsV1().Events(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Regarding.Name == pod && e.Reason == reason && strings.Contains(e.Note, note) {
				return nil
			}
		}
		return fmt.Errorf("none of %d events", len(list.Items))
	})
}

// card waits for the incident's message in Slack.
func (m *imported) chatted(pod string) {
	m.t.Helper()
	m.card(m.t, pod, func(workspace.Message) bool { return true })
}
