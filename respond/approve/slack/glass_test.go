package slack

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// lastView is the form that was opened last.
func (r *rig) lastView() workspace.View {
	r.t.Helper()
	views := r.space.Views()
	if len(views) == 0 {
		r.t.Fatalf("no form; refused: %q", r.space.Refused())
	}
	return views[len(views)-1]
}

// TestBreakGlass: who has that right breaks the glass by a button, with a reason;
// where nobody approved in time the playbook begins anew.
func TestBreakGlass(t *testing.T) {
	r := newRig(t)
	r.rights["eve break-glass playbooks/contain shop"] = true // and no right to approve
	run := r.waiting("web-1", func(n *event.Run) { n.Approval.Excluded = []string{"eve"} })
	expired := r.waiting("web-2", func(n *event.Run) { n.State, n.Approval.State = event.RunExpired, event.ApprovalExpired })
	r.press("U0EVE", r.value(run, DeedApprove))
	r.told("U0EVE", "eve may not approve playbooks")
	r.press("U0ANN", r.value(run, DeedBreak))
	r.post(workspace.Form(workspace.Submission("U0ANN", r.lastView(), "let me")))
	r.told("U0ANN", "ann may not break-glass playbooks")
	r.press("U0EVE", r.value(run, DeedBreak))
	view := r.lastView()
	r.post(workspace.Form(workspace.Submission("U0EVE", view, "  ")))
	r.told("U0EVE", "has to say why")
	if list := r.inputs(run.ID); len(list) != 0 {
		t.Fatalf("stored: %+v", list)
	}
	r.post(workspace.Form(workspace.Submission("U0EVE", view, "the shop is on fire")))
	list := r.inputs(run.ID)
	if len(list) != 1 || !list[0].Vote.BreakGlass || !list[0].Vote.Approve || list[0].Vote.Reason != "the shop is on fire" || list[0].Vote.Digest != run.Approval.Digest {
		t.Fatalf("inputs %+v", list)
	}
	r.press("U0EVE", r.value(expired, DeedBreak))
	r.post(workspace.Form(workspace.Submission("U0EVE", r.lastView(), "still on fire")))
	r.told("U0EVE", "begins anew")
	if list := r.inputs(expired.ID); len(list) != 0 {
		t.Errorf("said to a run that is over: %+v", list)
	}
}

// TestReviewInSlack: a broken glass is loud, stands in the app's own tab until
// somebody else has reviewed it, and who broke it can't.
func TestReviewInSlack(t *testing.T) {
	r := newRig(t)
	for _, who := range []string{"ann", "bob"} {
		r.rights[who+" list reviews/"], r.rights[who+" update reviews/"] = true, true
	}
	r.run()
	run := r.waiting("web-1")
	r.until("the question", shows(1, "Break the glass"))
	control := r.app.clerk.desk.Control
	review := respond.Review{ID: event.HashID("review"), Run: run.ID, Incident: run.Incident.ID, Playbook: "contain", By: "ann", Reason: "<fire>", Opened: r.clock(), Due: r.clock().Add(time.Hour)}
	if err := control.OpenReview(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	r.change(run.ID, func(n *event.Run) { n.Steps[0].BrokenBy, n.State = "ann", event.RunRunning })
	in := run.Incident
	in.Runs = []event.IncidentRun{{ID: run.ID, Playbook: run.Playbook, State: event.RunRunning}}
	in.Timeline = []event.Moment{
		{Time: r.clock(), What: event.MomentFinding, Text: "nsenter"}, {Time: r.clock(), What: event.MomentBreakGlass, By: "ann", Text: "the glass was broken: fire"},
	}
	r.store(in)
	list := r.until("the banner", shows(1, "THE GLASS WAS BROKEN by ann"))
	if !r.space.Wait(4*time.Minute, func() bool {
		for _, m := range r.space.Thread(channel, list[0].TS) {
			if m.Broadcast && strings.Contains(m.Shows(), "the glass was broken: fire") {
				return true
			}
		}
		return false
	}) {
		t.Errorf("it is not loud: %+v", r.space.Thread(channel, list[0].TS))
	}
	home := func(user string) (string, string) {
		t.Helper()
		blocks, err := r.app.view.overview(t.Context(), kubeUser(user))
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(blocks)
		if err != nil {
			t.Fatal(err)
		}
		var m workspace.Message
		if err := json.Unmarshal(data, &m.Blocks); err != nil {
			t.Fatal(err)
		}
		if why := workspace.CheckBlocks(m.Blocks, 100); why != "" {
			t.Errorf("the tab of %s: %s", user, why)
		}
		value, _ := m.Button(string(DeedReview))
		return m.Shows(), value
	}
	text, value := home("ann")
	if !strings.Contains(text, "ann broke the glass for playbook contain") || value == "" {
		t.Fatalf("the tab shows %.600s", text)
	}
	r.press("U0ANN", value)
	r.post(workspace.Form(workspace.Submission("U0ANN", r.lastView(), "fine by me")))
	r.told("U0ANN", "who broke the glass can't review it")
	r.press("U0BOB", value)
	r.post(workspace.Form(workspace.Submission("U0BOB", r.lastView(), "it was right")))
	r.told("U0BOB", "it is reviewed")
	if text, _ := home("ann"); strings.Contains(text, "broke the glass for") {
		t.Errorf("it is reviewed, and shows still: %.600s", text)
	}
	if all := r.inputs(run.Incident.ID); len(all) != 1 || all[0].Kind != event.InputReviewed || all[0].User != "bob" {
		t.Errorf("inputs of the incident %+v", all)
	}
}

// TestAcknowledge: who may says that they see to an incident, once.
func TestAcknowledge(t *testing.T) {
	r := newRig(t)
	r.rights["ann acknowledge incidents/"] = true
	run := r.waiting("web-1")
	r.press("U0EVE", r.value(run, DeedAcknowledge))
	r.told("U0EVE", "eve may not acknowledge incidents")
	r.press("U0ANN", r.value(run, DeedAcknowledge))
	r.told("U0ANN", "You see to it")
	list := r.inputs(run.Incident.ID)
	if len(list) != 1 || list[0].Kind != event.InputAcknowledge || list[0].User != "ann" {
		t.Fatalf("inputs %+v", list)
	}
	in := run.Incident
	in.AcknowledgedBy, in.Acknowledged = "ann", r.clock()
	r.store(in)
	r.press("U0ANN", r.app.board.face.Seal(Order{Deed: DeedAcknowledge, On: in.ID}), func(p *workspace.Press) { p.At = p.At.Add(time.Minute) })
	r.told("U0ANN", "ann sees to it already")
	m := Card{Incident: in}.Message(r.app.board.face)
	data, err := json.Marshal(m)
	if err != nil || strings.Contains(string(data), `"Acknowledge"`) || !strings.Contains(string(data), "ann sees to it since") {
		t.Errorf("the message %s", data)
	}
}

// TestHighRiskIsNotForChat: what the playbook or the priority keeps out of Slack
// shows a link to the page in place of the button, and a press that is made up all
// the same does not count; a denial does.
func TestHighRiskIsNotForChat(t *testing.T) {
	for name, change := range map[string]func(*rig, *event.Run){
		"by the playbook": func(_ *rig, n *event.Run) { n.Approval.NoChat = true },
		"by the priority": func(r *rig, _ *event.Run) { r.config.Highest = event.SeverityHigh },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(r *rig) { r.config.Console = "https://firebreak.example/console/incidents/" })
			r.rights["ann break-glass playbooks/contain shop"] = true
			run := r.waiting("web-1", func(n *event.Run) { change(r, n) })
			r.start()
			data, err := json.Marshal(Card{Incident: run.Incident, Runs: []event.Run{run}}.Message(r.app.board.face))
			if err != nil || strings.Contains(string(data), `"action_id":"approve"`) || strings.Contains(string(data), `"break-glass"`) ||
				!strings.Contains(string(data), `"url":"https://firebreak.example/console/incidents/`+run.Incident.ID) || !strings.Contains(string(data), "be approved here") {
				t.Errorf("the message %s", data)
			}
			o := Order{On: run.ID, Approval: run.Approval.ID, Digest: run.Approval.Digest}
			for _, d := range []Deed{DeedApprove, DeedShorter} {
				o.Deed, o.For = d, time.Minute
				r.press("U0ANN", r.app.board.face.Seal(o))
			}
			r.told("U0ANN", "be approved in a chat")
			if list := r.inputs(run.ID); len(list) != 0 {
				t.Errorf("stored: %+v", list)
			}
			r.press("U0BOB", r.value(run, DeedLink))
			if n := len(r.space.Whispers("U0BOB")); n != 0 {
				t.Errorf("a link is answered with %d messages", n)
			}
			r.press("U0BOB", r.value(run, DeedDeny))
			if list := r.inputs(run.ID); len(list) != 1 || list[0].Vote.Approve {
				t.Errorf("inputs %+v", list)
			}
		})
	}
}
