package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// replan changes what people are asked for.
func (h *history) replan() {
	if h.judge.over != "" || h.judge.expired {
		return
	}
	h.judge.question++
	h.judge.yes = nil
	h.told = append(h.told, "another plan")
	run := h.record.Run
	run.Steps = slices.Clone(run.Steps)
	run.Steps[0].Digest = fmt.Sprintf("plan-%d", h.judge.question)
	h.append(run)
	h.move(respond.Input{Tick: true}, h.clock())
	h.note()
}

// one makes one press, and sends it.
func (h *history) one() pressed {
	accounts := []string{"U0ANN", "U0BOB", "U0CFG", "U0ANN", "U0BOB", "U0EVE", "U0ANY", "U0GUEST", "U0FAR"}
	p := pressed{user: accounts[h.roll(len(accounts))], question: h.judge.question, yes: h.roll(5) > 0}
	if h.roll(5) == 0 {
		p.question = h.roll(h.judge.question + 1)
	}
	value, team, secret, at := h.values[p.question][p.yes], workspace.Team, workspace.Secret, h.clock()
	if p.glass = h.roll(6) == 0; p.glass {
		p.yes, p.why, value = true, h.roll(4) > 0, h.glass[p.question]
	}
	if p.ack = !p.glass && h.roll(7) == 0; p.ack {
		value = h.ack
	}
	if p.user == "U0FAR" {
		team = "T0FAR"
	}
	switch h.roll(14) {
	case 0:
		secret, p.forged = "another", true
	case 1:
		value, p.forged = strings.Replace(value, ".", "0.", 1), true
	case 2:
		at, p.forged = at.Add(-6*time.Minute), true
	case 3:
		team, p.forged = "T0FAR", true
	case 4:
		of := Order{Deed: DeedApprove, On: event.HashID("another run"), Approval: h.run.Approval.ID, Digest: h.run.Approval.Digest}
		if p.ack {
			of = Order{Deed: DeedAcknowledge, On: of.On}
		}
		value, p.forged = h.app.board.face.Seal(of), true
	}
	payload := workspace.Press{User: p.user, Team: team, Channel: channel, Action: "x", Value: value, At: h.clock().Add(time.Duration(h.roll(1000)) * time.Second)}.Payload()
	if p.glass {
		// The form that asks for the reason, as it comes back.
		reason := ""
		if p.why {
			reason = "fire"
		}
		payload = workspace.Submission(p.user, workspace.View{Body: map[string]any{"callback_id": formReason, "private_metadata": value + "|" + channel}}, reason)
		if team != workspace.Team {
			payload = []byte(strings.ReplaceAll(string(payload), workspace.Team, team))
		}
	}
	body := workspace.Form(payload)
	header := workspace.Sign(secret, body, at)
	send := func() {
		req := httptest.NewRequestWithContext(h.t.Context(), http.MethodPost, "/slack/interactions", strings.NewReader(body))
		req.Header = header
		w := httptest.NewRecorder()
		handler := h.handler
		if h.roll(2) == 0 && h.other != nil {
			handler = h.other
		}
		handler.ServeHTTP(w, req)
		if w.Code != http.StatusOK && (w.Code != http.StatusUnauthorized || !p.forged) {
			h.t.Errorf("status %d", w.Code)
		}
	}
	send()
	if h.roll(3) == 0 {
		send() // a repetition counts nothing
	}
	h.told = append(h.told, fmt.Sprintf("%+v", p))
	again := p
	h.last = func() pressed {
		send()
		h.told = append(h.told, fmt.Sprintf("again %+v", again))
		return again
	}
	return p
}

// settle lets the run and the incident take in what was stored, and compares them
// with the judge.
func (h *history) settle(p pressed) {
	should := h.judge.press(p)
	before := valid(h.run)
	for seq, in := range h.since() {
		h.move(respond.Input{Person: &in, Sequence: seq}, h.clock())
	}
	voted, seen := valid(h.run) > before, p.ack && h.acknowledged(true)
	if (voted || seen) != should || voted && (p.ack || valid(h.run) > before+1) {
		h.t.Errorf("%+v counts as a vote: %v, as seeing to it: %v; the judge says %v; approval %+v", p, voted, seen, should, h.run.Approval)
	}
	switch {
	case seen:
		h.came["seen to"]++
	case voted && p.glass:
		h.came["glass"]++
		h.came["votes"]++
	case voted:
		h.came["votes"]++
	default:
		h.came["nothing"]++
	}
	if got := h.run.Approval.State; (got == event.ApprovalGranted) != (h.judge.over == "granted") || (got == event.ApprovalDenied) != (h.judge.over == "denied") {
		h.t.Errorf("the approval is %s, the judge says %q", got, h.judge.over)
	}
}

// acknowledged says whether somebody sees to the incident since it was looked at
// last, and lets the incident take it in. The judge says who.
func (h *history) acknowledged(take bool) bool {
	var who []string
	for _, in := range h.inputs(h.run.Incident.ID) {
		if in.Kind != event.InputAcknowledge {
			h.t.Errorf("said to the incident: %+v", in)
		}
		who = append(who, in.User)
	}
	if len(who) > 1 || len(who) == 1 && who[0] != h.judge.ack || len(who) == 0 && h.judge.ack != "" {
		h.t.Errorf("%q see to it, the judge says %q", who, h.judge.ack)
	}
	if !take || len(who) == 0 {
		return false
	}
	in, err := h.app.clerk.desk.Incident(h.t.Context(), h.run.Incident.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	if in.AcknowledgedBy != "" {
		return false
	}
	in.AcknowledgedBy = who[0]
	h.store(in)
	return true
}

// since are the inputs that the run has not taken in, with their places.
func (h *history) since() iter.Seq2[uint64, event.Input] {
	return func(yield func(uint64, event.Input) bool) {
		newest, err := h.bus.Last(h.t.Context(), bus.SubjectInput(h.run.ID))
		if errors.Is(err, bus.ErrNotFound) || err == nil && newest.Sequence <= h.run.Input {
			return
		}
		for m, err := range h.bus.History(h.t.Context(), bus.SubjectInput(h.run.ID)) {
			var in event.Input
			if err == nil {
				err = json.Unmarshal(m.Data, &in)
			}
			if err != nil {
				h.t.Fatal(err)
			}
			if m.Sequence > h.run.Input && !yield(m.Sequence, in) {
				return
			}
		}
	}
}

// valid counts the votes that count.
func valid(r event.Run) int {
	n := 0
	for _, v := range r.Approval.Votes {
		if v.Refused == "" {
			n++
		}
	}
	return n
}
