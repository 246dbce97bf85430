package action

import (
	"context"
	"encoding/json"
	"fmt"

	eventsv1 "k8s.io/api/events/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/notify"
)

const notifyEvent = "notify.event"

func init() {
	register(Kind{
		Name: notifyEvent,
		Doc: "Writes a Kubernetes Event about the target, for kubectl describe and whatever watches Events. " +
			"It has one name a step, so it is written once.",
		Class:   Notify,
		Targets: []string{"pods", "nodes"},
		Config:  func() any { return &EventConfig{Reason: "SecurityIncident", Type: "Warning"} },
		Check:   func(config any) error { return checked(notifyEvent, config, EventConfig.check) },
		Needs:   []Permission{{Group: eventsv1.GroupName, Resource: "events", Verbs: []string{"create"}}},
		Admits:  []Admit{{Group: eventsv1.GroupName, Resource: "events", Operation: "CREATE", Expression: admitEvent, Anywhere: true}},
		New: func(d Deps, config any) (Action, error) {
			if config == nil {
				config = &EventConfig{Reason: "SecurityIncident", Type: "Warning"}
			}
			c, err := params[EventConfig](notifyEvent, config)
			if err != nil {
				return nil, err
			}
			return kubernetesEvent{d, *c}, c.check()
		},
	})
}

const reportingController = "firebreak.io/firebreak"

// EventConfig are the parameters of notify.event.
type EventConfig struct {
	// Reason is a word in CamelCase.
	Reason string `yaml:"reason" json:"reason"`
	// Type is Normal or Warning.
	Type string `yaml:"type" json:"type"`
	// Note is the text; empty says which finding and playbook it is about.
	Note string `yaml:"note" json:"note"`
}

// maxNote is what the API server takes (events.k8s.io/v1).
const maxNote = 1024

func (c EventConfig) check() error {
	switch {
	case c.Reason == "" || len(c.Reason) > 128:
		return fmt.Errorf("%s: reason must have 1 to 128 characters", notifyEvent)
	case c.Type != "Normal" && c.Type != "Warning":
		return fmt.Errorf("%s: type %q is none of Normal, Warning", notifyEvent, c.Type)
	case len(c.Note) > maxNote:
		return fmt.Errorf("%s: note has more than %d bytes", notifyEvent, maxNote)
	}
	return nil
}

type kubernetesEvent struct {
	Deps
	config EventConfig
}

// Plan lists the one create. It reads nothing: an Event may be about a pod
// that is gone.
func (k kubernetesEvent) Plan(_ context.Context, r Request) (event.Plan, error) {
	t := r.Target
	if !t.IsPod() && !t.IsNode() || t.IsPod() && t.Namespace == "" {
		return event.Plan{}, refuse(t, "target is no pod or node")
	}
	kind, namespace := "Pod", t.Namespace
	if t.IsNode() {
		kind, namespace = "Node", "default" // where Events of what has no namespace must be
	}
	name := "firebreak-" + event.HashID("event", r.Key)
	// The time is the run's, so that planning again gives the same bytes.
	at := r.Run.Created
	if at.IsZero() {
		at = r.Now
	}
	regarding := object{"apiVersion": "v1", "kind": kind, "name": t.Name, "uid": t.UID}
	if t.IsPod() {
		regarding["namespace"] = t.Namespace
	}
	body, err := encode(object{
		"apiVersion": "events.k8s.io/v1",
		"kind":       "Event",
		"metadata": object{
			"name": name, "namespace": namespace,
			"labels": object{kube.ManagedByLabel: kube.ManagedBy, "app.kubernetes.io/name": "firebreak-event"},
		},
		"eventTime":           at.UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
		"reportingController": reportingController,
		"reportingInstance":   "firebreak",
		"action":              "Respond",
		"reason":              k.config.Reason,
		"type":                k.config.Type,
		"note":                k.note(r),
		"regarding":           regarding,
	})
	return event.Plan{
		Action: notifyEvent, Target: t, Summary: fmt.Sprintf("write Kubernetes Event %s about %s", k.config.Reason, t),
		Writes: []event.Write{{
			Verb: "create", Group: eventsv1.GroupName, Version: "v1", Resource: "events",
			Namespace: namespace, Name: name, Body: body,
		}},
		Notes: offlineNotes(k.Deps, nil),
	}, err
}

func (k kubernetesEvent) note(r Request) string {
	if k.config.Note != "" {
		return cut(k.config.Note, maxNote)
	}
	return cut(fmt.Sprintf("%s (%s): playbook %s, run %s", r.Run.Finding.Title, r.Run.Finding.Severity, r.Run.Playbook, r.Run.ID), maxNote)
}

// Do has the Event created; one that is there already is this one.
func (k kubernetesEvent) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := checkPlan(notifyEvent, r, p); err != nil {
		return event.Receipt{}, err
	}
	if len(p.Writes) != 1 || p.Writes[0].Verb != "create" || p.Writes[0].Resource != "events" {
		return event.Receipt{}, refuse(r.Target, "plan is not one Event")
	}
	body, err := json.Marshal(p.Writes[0])
	if err != nil {
		return event.Receipt{}, fmt.Errorf("put Event into the outbox: %w", err)
	}
	d := k.Deps
	if d.Outbox == nil {
		d.Receivers = notify.Receivers{notify.KubernetesEvents: notify.Events(k.Cluster)}
	}
	return tell(ctx, d, r, notify.KubernetesEvents, body)
}

// Undo gives [ErrIrreversible]; the API server forgets Events by itself.
func (kubernetesEvent) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}
