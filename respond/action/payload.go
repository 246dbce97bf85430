package action

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Payload is what a webhook is told of a run. It is bounded: no event is in
// it, and long text is cut.
type Payload struct {
	// Version is 1; a field may be added without a new one.
	Version  int            `json:"version"`
	Key      string         `json:"key"`
	Run      string         `json:"run"`
	Playbook string         `json:"playbook"`
	Incident string         `json:"incident"`
	Mode     event.Mode     `json:"mode"`
	State    event.RunState `json:"state"`
	Created  time.Time      `json:"created"`
	Target   PayloadTarget  `json:"target"`
	Finding  PayloadFinding `json:"finding"`
	Steps    []PayloadStep  `json:"steps"`
}

// PayloadTarget names what the run is about.
type PayloadTarget struct {
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
	Node      string `json:"node,omitempty"`
	Workload  string `json:"workload,omitempty"`
}

// PayloadFinding is the claim that began the run.
type PayloadFinding struct {
	ID          string         `json:"id"`
	Rule        string         `json:"rule,omitempty"`
	Model       string         `json:"model,omitempty"`
	Title       string         `json:"title"`
	Severity    event.Severity `json:"severity"`
	Explanation string         `json:"explanation,omitempty"`
	Time        time.Time      `json:"time"`
}

// PayloadStep is a step and how it went.
type PayloadStep struct {
	Name   string          `json:"name"`
	Action string          `json:"action"`
	State  event.StepState `json:"state"`
	Result event.Result    `json:"result,omitempty"`
	Until  *time.Time      `json:"until,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// The bounds of a payload.
const (
	maxText  = 1024
	maxSteps = 100
)

func payload(r Request) (json.RawMessage, error) {
	t, f := r.Target, r.Run.Finding
	p := Payload{
		Version: 1, Key: r.Key, Run: r.Run.ID, Playbook: r.Run.Playbook, Incident: r.Run.Incident.ID,
		Mode: r.Run.Mode, State: r.Run.State, Created: r.Run.Created,
		Target: PayloadTarget{
			Resource: t.Resource, Namespace: cut(t.Namespace, maxText), Name: cut(t.Name, maxText), UID: cut(t.UID, maxText),
			Node: cut(t.Node, maxText), Workload: cut(strings.Trim(t.Workload.Kind+"/"+t.Workload.Name, "/"), maxText),
		},
		Finding: PayloadFinding{
			ID: f.ID, Rule: f.Rule, Model: f.Model, Title: cut(f.Title, maxText), Severity: f.Severity,
			Explanation: cut(f.Explanation, maxText), Time: f.Time,
		},
		Steps: []PayloadStep{},
	}
	for _, s := range r.Run.Steps[:min(len(r.Run.Steps), maxSteps)] {
		step := PayloadStep{Name: s.Name, Action: s.Action, State: s.State, Until: s.Until, Error: cut(s.Error, maxText)}
		if s.Receipt != nil {
			step.Result = s.Receipt.Result
		}
		p.Steps = append(p.Steps, step)
	}
	return encode(p)
}

// cut shortens text to at most n bytes, whole characters and valid UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n-len("…")]
		s = strings.ToValidUTF8(s, "") + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
