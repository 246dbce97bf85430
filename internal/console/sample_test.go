package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

// hostile is what somebody would put everywhere: markup, quotes, an attribute,
// a template, a script, a URL, bidi, marks without end and a huge word.
var hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.Form}}</textarea>` + "\x1b[31m\u202e\u2066evil\u200b\u0000 javascript:alert(3) & " +
	"e" + strings.Repeat("\u0301", 50) + strings.Repeat("A", 5000)

var began = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

const (
	incidentID = "0123456789abcdef0123456789abcdef"
	runID      = "fedcba9876543210fedcba9876543210"
	findingID  = "00112233445566778899aabbccddeeff"
	heldID     = "8877665544332211ffeeddccbbaa9900"
	lostID     = "77aa77aa77aa77aa77aa77aa77aa77aa"
)

// sampleIncident has every text of others replaced by x, unless that is empty.
func sampleIncident(x string) event.Incident {
	or := func(s string) string {
		if x != "" {
			return x
		}
		return s
	}
	ns := "shop"
	return event.Incident{
		ID: incidentID, State: event.IncidentOpen, Risk: 87, Confidence: 74, Priority: event.SeverityCritical,
		Why:     []string{or("severity critical: 50 of 50"), or("3 observers say so: falco 60, audit 40")},
		Subject: event.PodRef(ns, or("web-7d4b9c5f6-x2x9p")), Severity: event.SeverityCritical, Likelihood: or("high"), Impact: or("high"), Importance: event.ImportanceHigh,
		Threats: []string{or("container_escape")}, Evidence: []event.Evidence{{From: or("falco"), Confidence: 60}, {From: or("audit"), Confidence: 40}},
		Findings: []string{findingID}, Rules: []string{or("container-escape"), or("terminal-shell")}, Count: 3, Keys: []string{"pod/" + ns},
		Recommended: []string{or("contain-container-escape")}, Verdict: "true", VerdictBy: or("ann"), Refuted: []string{"x"}, Linked: []string{"aabbccddeeff00112233445566778899"},
		Runs: []event.IncidentRun{{ID: runID, Playbook: or("contain-container-escape"), Target: or("pods/shop/web-7d4b9c5f6-x2x9p"), State: event.RunAwaiting}},
		Timeline: []event.Moment{
			{Time: began, What: event.MomentFinding, ID: findingID, Text: or("container-escape: a process left its container")},
			{Time: began.Add(time.Second), What: event.MomentVerdict, By: or("ann"), Text: or("it is real")},
		},
		Created: began, Updated: began.Add(time.Minute),
	}
}

// sampleRun waits for two people.
func sampleRun(x string) event.Run {
	or := func(s string) string {
		if x != "" {
			return x
		}
		return s
	}
	text := func(v any) json.RawMessage {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return data
	}
	target := event.PodRef("shop", or("web-7d4b9c5f6-x2x9p"))
	target.UID = or("5a1f3c7e-1111-2222-3333-444455556666")
	patch := text(map[string]any{"metadata": map[string]any{
		"labels":      map[string]any{"app": nil, "pod-template-hash": nil, "firebreak.io/hold": or("fedcba987654")},
		"annotations": map[string]any{or("firebreak.io/hold"): or("saved labels")},
	}})
	return event.Run{
		ID: runID, Playbook: or("contain-container-escape"), Version: or("1f2e3d4c5b6a"), Mode: event.ModeAsk, State: event.RunAwaiting, Reason: or("two people have to say yes"),
		Incident: event.Incident{ID: incidentID, Risk: 87, Confidence: 74, Priority: event.SeverityCritical, Count: 3},
		Finding: event.Finding{
			ID: findingID, Rule: or("container-escape"), Title: or("A process left its container"), Severity: event.SeverityCritical,
			Explanation: or("nsenter was started in the namespaces of PID 1"), Actor: event.Actor{User: or("mallory"), Address: or("203.0.113.7")}, Trust: 3,
		},
		Target: target, Created: began, Updated: began.Add(2 * time.Second), Record: 3, Input: 7,
		Steps: []event.Step{
			{
				Name: or("isolate"), Action: or("pod.quarantine"), State: event.StepPlanned, Digest: "a1b2c3d4e5f6a7b8", Error: x,
				Plan: &event.Plan{
					Action: "pod.quarantine", Target: target, Summary: or("quarantine pod web-7d4b9c5f6-x2x9p of Deployment web"), Reversible: true,
					Writes: []event.Write{
						{Verb: "create", Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: "shop", Name: or("firebreak-hold"), Body: text(map[string]any{"spec": map[string]any{"policyTypes": []string{"Ingress", "Egress"}}})},
						{Verb: "patch", Version: "v1", Resource: "pods", Namespace: "shop", Name: or("web-7d4b9c5f6-x2x9p"), UID: target.UID, ResourceVersion: "12345", Body: patch},
					},
					Notes: []string{or("connections that are open may survive")}, Loss: &event.Loss{Endpoints: []string{or("no longer an endpoint of shop/web")}},
				},
				Verdicts: []event.Verdict{
					{Guard: "budget", Decision: event.Pass, Reason: or("2 of 10 pods are quarantined")},
					{Guard: "eyes", Decision: event.Ask, Reason: or("label environment=production: 2 people"), Need: 2},
				},
			},
			{Name: or("page"), Action: or("page.pagerduty"), State: event.StepPending},
		},
		Approval: &event.Approval{
			ID: "ap1", Digest: "0badc0de0badc0de", By: []string{or("group/security-oncall")}, Need: 2, Reasons: []string{or("isolate: eyes: label environment=production: 2 people")},
			Excluded: []string{or("mallory")}, Requested: began, Expires: began.Add(15 * time.Minute), State: event.ApprovalOpen, Steps: []string{or("isolate")},
			Votes: []event.Vote{
				{User: or("carol"), Approve: true, Digest: "0badc0de0badc0de", Reason: or("looks right"), From: or("T0001/U0CAROL"), Time: began.Add(time.Minute)},
				{User: or("mallory"), Approve: true, Reason: or("please"), Refused: or("who started the run or is named in the finding cannot decide on it"), Time: began.Add(2 * time.Minute)},
			},
		},
	}
}

// heldRun is the same one after it has acted.
func heldRun(x string) event.Run {
	r := sampleRun(x)
	until := began.Add(time.Hour)
	r.State, r.Approval.State = event.RunHolding, event.ApprovalGranted
	s := &r.Steps[0]
	s.State, s.Until, s.AtEnd, s.Attempts, s.Conflicts, s.Error = event.StepDone, &until, event.AtEndRestore, 2, 1, ""
	s.Receipt = &event.Receipt{Result: event.ResultPartial, Notes: []string{"NetworkPolicy shop/allow-all lets TCP 443 out " + x}, Output: map[string]string{"policy": "firebreak-hold " + x}, Time: began.Add(time.Minute)}
	return r
}

func sampleFinding(x string) event.Finding {
	f := sampleRun(x).Finding
	number := 412.0
	f.Subject, f.Time, f.Received = event.PodRef("shop", "web "+x), began, began
	f.Features = []event.Feature{{Name: "unique_ips " + x, Value: &number, Direction: "above", Contribution: 3.2}, {Name: "country", Text: "new " + x, Usual: "old", Peers: true, Direction: "new"}}
	f.Attack, f.Counterfactual = []string{"T1611"}, []string{"unique_ips"}
	return f
}

func sampleReport(x string, n int) *reach.Report {
	r := &reach.Report{Pod: "shop/web-7d4b9c5f6-x2x9p" + x, Node: "n1", Egress: []reach.Flow{}, Ingress: []reach.Flow{}, Always: []string{"traffic with its own node " + x}, Unknown: []string{"whether the network plugin enforces these policies"}}
	for i := range n {
		f := reach.Flow{Direction: "egress", Peer: reach.Peer{Kind: "hosts", Hosts: []string{fmt.Sprint("host", i, ".example ", x)}}, Ports: reach.AllPorts(), By: reach.Policy{Kind: "NetworkPolicy", Namespace: "shop", Name: "allow-all " + x}}
		r.Egress = append(r.Egress, f)
		f.Direction = "ingress"
		r.Ingress = append(r.Ingress, f)
	}
	return r
}

// fill puts one of everything into the house.
func (r *rig) fill(x string) {
	h := r.house
	h.incidents[incidentID] = sampleIncident(x)
	first := sampleRun(x)
	first.State, first.Reason, first.Record, first.Updated = event.RunGuarding, "", 1, began
	h.runs[runID] = []event.Run{first, sampleRun(x)}
	h.findings[findingID] = sampleFinding(x)
	h.told = []event.Delivery{{Receiver: "pagerduty " + x, Step: "page " + x, Run: runID, Incident: incidentID, State: event.DeliveryRetrying, Error: x, Updated: began.Add(3 * time.Second)}}
	h.models = []event.ModelState{{
		Name: "api-identity" + x, Version: "123456789abc", Measured: 120000, Ready: true, Entities: 210, Groups: 12, Bytes: 3 << 20, Rows: 1000, Reservoir: 2048, NeedP: 0.0004, Last: began,
		Budget: event.ModelBudget{PerDay: 10, Rate: 8.2, Scores: 90000, Found: 41, Held: 3, True: 12, False: 4}, Features: []event.ModelFeature{{Name: "unique_ips " + x, Share: 0.4}}, Said: []string{"the threshold rose " + x},
	}}
	h.brake = Brake{Ceiling: event.ModeAsk, Reason: x}
	h.standings = []Standing{{Playbook: "contain-container-escape" + x, Version: "1f2e3d4c5b6a", Own: event.ModeAct, Mode: event.ModeAsk, Runs: 14, Observed: 3, Approved: 9, Denied: 1, Undone: 2, Right: 8, Wrong: 1, Since: began}}
	h.report = sampleReport(x, 3)
	held := heldRun(x)
	held.ID = heldID
	h.runs[heldID] = []event.Run{held}
	h.lost = sampleLost(x)
	h.reviews, h.alarms = sampleReviews(x), []Alarm{{User: "carol " + x, Text: "12 approvals within an hour " + x, Time: began}}
}

// sampleLost are two holds of a lost run, one that can't be freed by its id, and one
// that somebody made up.
func sampleLost(x string) []Unclaimed {
	one := Unclaimed{
		Run: lostID, Step: "isolate" + x, Action: "pod.quarantine" + x, Object: event.PodRef("shop", "web-7d4b9c5f6-kk2p8"+x), Until: began.Add(time.Hour),
		Says: []string{"label app=web is put back " + x, "label firebreak.io/hold is taken off: all traffic that was denied passes again"},
	}
	two, broken, made := one, one, one
	two.Step, two.Action, two.Object, two.Until = "cordon"+x, "node.cordon"+x, event.NodeRef("worker-2"+x), time.Time{}
	two.Says = []string{"/spec/unschedulable is given back as it was: absent " + x}
	broken.Run, broken.Broken = strings.Repeat("9", 32), "whom it keeps out is not known without its record "+x
	broken.Commands = []string{"kubectl --namespace shop label pods web-7d4b9c5f6-kk2p8 firebreak.io/hold- " + x}
	made.Run, made.Broken, made.Object = "made-up"+x, "no run is called so "+x, event.PodRef("bank", "ledger-0"+x)
	return []Unclaimed{one, two, broken, made}
}

// sampleReviews are one that is late, one of ann's own, and one that is closed.
func sampleReviews(x string) []Review {
	late := Review{
		ID: strings.Repeat("1", 32), Run: runID, Incident: incidentID, Playbook: "contain-container-escape" + x, Target: event.PodRef("shop", "web-7d4b9c5f6-x2x9p"+x),
		Title: "A process left its container " + x, Priority: event.SeverityCritical, Steps: []string{"isolate " + x}, By: "dave " + x, From: "T0001/U0DAVE " + x,
		Reason: "the pager was down " + x, Opened: began.Add(-25 * time.Hour), Due: began.Add(-time.Hour), Late: true,
	}
	own, closed := late, late
	own.ID, own.By, own.From, own.Due, own.Late = strings.Repeat("2", 32), "ann", "", began.Add(time.Hour), false
	closed.ID, closed.Due, closed.Late, closed.Closed, closed.ClosedBy, closed.Note = strings.Repeat("3", 32), began.Add(-2*time.Hour), false, began, "erin "+x, "it was right "+x
	return []Review{own, closed, late}
}
