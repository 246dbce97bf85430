package slack

import (
	"encoding/json"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// spec is the playbook of the tests.
const spec = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: contain}
spec:
  when: "true"
  mode: ask
  approve: {by: [group/oncall], need: 2, within: 15m}
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: 1h, at_end: ask}
`

// moments are cards as people see them in the course of an incident.
func moments(r *rig) map[string]Card {
	at := r.clock()
	value, low, high := 812.0, 3.0, 9.5
	target := event.PodRef("shop", "web-1")
	in := event.Incident{
		ID: "0123456789abcdef0123456789abcdef", State: event.IncidentOpen, Risk: 87, Confidence: 90, Priority: event.SeverityCritical, Subject: target,
		Rules: []string{"container-escape", "service-traffic"}, Count: 3, Created: at, Updated: at, Threats: []string{"container-escape"},
		Importance: event.ImportanceHigh, Why: []string{"severity critical", "two observers agree"},
	}
	finding := event.Finding{
		ID: "f", Model: "service-traffic", Title: "Traffic is not as usual", Severity: event.SeverityHigh, Explanation: "812 clients a minute",
		Features:       []event.Feature{{Name: "unique_ips", Value: &value, Low: &low, High: &high, Direction: "above"}},
		Counterfactual: []string{"unique_ips"},
	}
	until := at.Add(time.Hour)
	base := event.Run{
		ID: "fedcba9876543210fedcba9876543210", Playbook: "contain", Spec: spec, State: event.RunAwaiting, Target: target, Finding: finding, Created: at, Updated: at,
		Steps: []event.Step{{Name: "isolate", State: event.StepPlanned, Plan: &event.Plan{
			Summary: "quarantine pods/shop/web-1: take off labels app", Reversible: true, Notes: []string{"open connections may survive", "evil <!channel> name"},
			Writes: []event.Write{{Verb: "patch", Resource: "pods", Namespace: "shop", Name: "web-1", Body: json.RawMessage(`{"metadata":{"labels":{"app":null}}}`)}},
			Loss: &event.Loss{
				Endpoints: []string{"web"}, Workload: "Deployment shop/web", Wanted: 3, Ready: 3, ReadyAfter: 2, Replaced: true,
				Budgets: []event.Headroom{{Budget: "web", Allowed: 1}},
			},
		}}},
		Approval: &event.Approval{
			ID: "a", Steps: []string{"isolate"}, Digest: "0011223344556677", Need: 2, By: []string{"group/oncall"}, Reasons: []string{"isolate: mode: mode ask"},
			Requested: at, Expires: at.Add(15 * time.Minute), State: event.ApprovalOpen, Votes: []event.Vote{{User: "ann", Approve: true}},
		},
	}
	with := func(change func(*event.Run)) []event.Run {
		run := base
		run.Steps = []event.Step{base.Steps[0]}
		change(&run)
		return []event.Run{run}
	}
	held := func(run *event.Run) {
		run.State, run.Approval = event.RunHolding, nil
		run.Steps[0].State, run.Steps[0].Until, run.Steps[0].AtEnd = event.StepDone, &until, event.AtEndAsk
		run.Steps[0].Receipt = &event.Receipt{Result: event.ResultPartial, Notes: []string{"policy allow-all lets it reach port 53"}}
	}
	contained, over := in, in
	contained.State = event.IncidentContained
	over.State, over.Verdict, over.VerdictBy = event.IncidentFalsePositive, "false", "bob"
	return map[string]Card{
		"new":     {Incident: in},
		"asked":   {Incident: in, Runs: []event.Run{base}},
		"held":    {Incident: contained, Runs: with(held)},
		"ended":   {Incident: contained, Runs: with(func(r *event.Run) { held(r); r.Steps[0].EndAsked = true })},
		"changed": {Incident: contained, Runs: with(func(r *event.Run) { held(r); r.Steps[0].Differs = "label app is db" })},
		"over":    {Incident: over, Runs: with(func(r *event.Run) { held(r); r.State, r.Reason = event.RunClosed, "undone by bob" })},
	}
}
