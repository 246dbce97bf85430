package approve

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// TestBreakGlass: it is a right of its own, takes a reason and the plan that was
// shown, and begins a playbook anew that nobody approved in time.
func TestBreakGlass(t *testing.T) {
	r := newRig(t)
	r.cluster.may["pat break-glass playbooks/contain shop"] = true
	expired, err := r.log.Create(t.Context(), event.Run{
		ID: event.HashID("expired"), Playbook: "contain", State: event.RunExpired, Target: event.PodRef("shop", "web"),
		Approval: &event.Approval{State: event.ApprovalExpired, Digest: "d1", Need: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := "/v1/runs/" + r.run.Run.ID + "/break-glass"
	for _, c := range []struct {
		token, body, text string
		status            int
	}{
		{"token-ann", `{"digest":"d1","reason":"fire"}`, "ann may not break-glass playbooks.firebreak.io contain in namespace shop", 403},
		{"", `{"digest":"d1","reason":"fire"}`, "bearer", 401},
		{"token-pat", `{"digest":"d1"}`, "has to say why", 400},
		{"token-pat", `{"digest":"d1","reason":"  "}`, "has to say why", 400},
		{"token-pat", `{"digest":"d2","reason":"fire"}`, "the plan has changed", 409},
		{"token-pat", `{"reason":"fire"}`, "the plan has changed", 409},
		{"token-pat", `{"digest":"d1","reason":"fire"}`, `"user":"pat"`, 202},
	} {
		if status, text := r.call("POST", path, c.token, c.body); status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s %s: %d %s", c.token, c.body, status, text)
		}
	}
	if list := r.inputs(); len(list) != 1 || !list[0].Vote.BreakGlass || list[0].User != "pat" {
		t.Errorf("inputs %+v", list)
	}
	// Who may break the glass may not approve in the usual way, and the other way
	// round.
	if status, _ := r.call("POST", "/v1/runs/"+r.run.Run.ID+"/approve", "token-pat", `{"digest":"d1"}`); status != 403 {
		t.Errorf("status %d", status)
	}
	status, text := r.call("POST", "/v1/runs/"+expired.Run.ID+"/break-glass", "token-pat", `{"reason":"fire"}`)
	var said Said
	if err := json.Unmarshal([]byte(text), &said); err != nil || status != 202 || said.Run == expired.Run.ID {
		t.Fatalf("%d %s %v", status, text, err)
	}
	m, err := r.bus.Last(t.Context(), bus.SubjectInput(said.Run))
	if err != nil || !strings.Contains(string(m.Data), `"kind":"start"`) || !strings.Contains(string(m.Data), `"playbook":"contain"`) {
		t.Errorf("%s, %v", m.Data, err)
	}
}

// TestReviews: they are listed for who may, and closed by somebody else than who
// broke the glass, with what was found.
func TestReviews(t *testing.T) {
	r := newRig(t)
	control := respond.NewControl(r.bus, event.ModeAct)
	for _, right := range []string{"ann list reviews/", "ann update reviews/", "pat update reviews/"} {
		r.cluster.may[right] = true
	}
	id := event.HashID("review")
	if err := control.OpenReview(t.Context(), respond.Review{ID: id, Run: r.run.Run.ID, By: "pat", Reason: "fire", Due: r.now}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path, token, body, text string
		status                          int
	}{
		{"GET", "/v1/reviews", "token-bob", "", "bob may not list reviews", 403},
		{"GET", "/v1/reviews", "token-ann", "", `"by":"pat"`, 200},
		{"POST", "/v1/reviews/" + id + "/close", "token-bob", `{"reason":"fine"}`, "bob may not update reviews", 403},
		{"POST", "/v1/reviews/" + id + "/close", "token-pat", `{"reason":"fine"}`, "who broke the glass can't review it", 403},
		{"POST", "/v1/reviews/" + id + "/close", "token-ann", `{}`, "what was found has to be said", 400},
		{"POST", "/v1/reviews/none/close", "token-ann", `{"reason":"fine"}`, "no such review", 404},
		{"POST", "/v1/reviews/" + id + "/close", "token-ann", `{"reason":"fine"}`, `"closed_by":"ann"`, 200},
		{"POST", "/v1/reviews/" + id + "/close", "token-ann", `{"reason":"fine"}`, "reviewed already by ann", 409},
	} {
		if status, text := r.call(c.method, c.path, c.token, c.body); status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s %s as %s: %d %s", c.method, c.path, c.token, status, text)
		}
	}
}

// TestAcknowledge: who may says that they see to an incident, which is there and
// not over; nothing is answered to others.
func TestAcknowledge(t *testing.T) {
	r := newRig(t)
	r.cluster.may["ann acknowledge incidents/"] = true
	store := func(in event.Incident) {
		t.Helper()
		data, err := json.Marshal(in)
		if err == nil {
			_, err = r.bus.Publish(t.Context(), bus.SubjectIncident(in.ID), data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	open, over, seen := event.HashID("open"), event.HashID("over"), event.HashID("seen")
	store(event.Incident{ID: open, State: event.IncidentOpen})
	store(event.Incident{ID: over, State: event.IncidentResolved})
	store(event.Incident{ID: seen, State: event.IncidentOpen, AcknowledgedBy: "bob"})
	for _, c := range []struct {
		id, token, text string
		status          int
	}{
		{open, "token-bob", "bob may not acknowledge incidents", 403}, {open, "token-ann", `"user":"ann"`, 202},
		{over, "token-ann", "resolved already", 409}, {seen, "token-ann", "bob sees to it already", 409}, {event.HashID("none"), "token-ann", "no such incident", 404},
	} {
		if status, text := r.call("POST", "/v1/incidents/"+c.id+"/ack", c.token, `{"reason":"on it"}`); status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s: %d %s", c.token, status, text)
		}
	}
}
