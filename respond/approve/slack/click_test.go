package slack

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// TestVote: a press of a button becomes a vote of the person whom the config
// names, bound to what was shown; they are told what became of it.
func TestVote(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	if got := r.press("U0ANN", r.value(run, DeedApprove)); got != http.StatusOK {
		t.Fatalf("status %d", got)
	}
	list := r.inputs(run.ID)
	if len(list) != 1 || list[0].Vote == nil {
		t.Fatalf("inputs %+v", list)
	}
	v := *list[0].Vote
	if v.User != "ann" || !v.Approve || v.Digest != run.Approval.Digest || v.From != workspace.Team+"/U0ANN" || v.Hold != 0 || v.Groups[0] != "oncall" {
		t.Errorf("vote %+v", v)
	}
	r.change(run.ID, func(n *event.Run) {
		a := *n.Approval
		a.Votes = append(a.Votes, v)
		n.Approval, n.Input = &a, 1
	})
	r.told("U0ANN", "You approved it: 1 of 2.")
	r.press("U0BOB", r.value(run, DeedShorter))
	if list = r.inputs(run.ID); len(list) != 2 || list[1].Vote.User != "bob" || list[1].Vote.Hold != shorterHold {
		t.Fatalf("inputs %+v", list)
	}
	r.press("U0CFG", r.value(run, DeedDeny))
	if list = r.inputs(run.ID); len(list) != 3 || list[2].Vote.User != "slack:T0001/U0CFG" || list[2].Vote.Approve {
		t.Fatalf("inputs %+v", list)
	}
}

// TestRefused: who may not, and what is not ours or no longer so, is refused and
// told why; nothing is stored.
func TestRefused(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	other := r.waiting("web-2", func(o *event.Run) { o.Target.Namespace = "bank" })
	over := r.waiting("web-3", func(o *event.Run) {
		o.Approval.State = event.ApprovalGranted
		o.Approval.Votes = []event.Vote{{User: "bob", Approve: true}}
	})
	yes := r.value(run, DeedApprove)
	sealed := func(change func(*Order)) string {
		o := Order{Deed: DeedApprove, On: run.ID, Approval: run.Approval.ID, Digest: run.Approval.Digest}
		change(&o)
		return r.app.board.face.Seal(o)
	}
	r.waiting("locks", func(o *event.Run) { // it locks out whom Slack's U0LOCK is in the cluster
		until := r.clock().Add(time.Hour)
		o.State, o.Approval = event.RunHolding, nil
		o.Steps[0].State, o.Steps[0].Until, o.Steps[0].Plan.Denies = event.StepDone, &until, []event.Identity{{User: "lock"}}
	})
	stranger, err := NewSealer("another token")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		user, value, told string
		change            func(*workspace.Press)
	}{
		"no right in the cluster":        {user: "U0EVE", value: yes, told: "eve may not approve playbooks"},
		"another namespace by config":    {user: "U0CFG", value: r.value(other, DeedApprove), told: "may not approve playbooks.firebreak.io contain in namespace bank"},
		"another namespace by cluster":   {user: "U0ANN", value: r.value(other, DeedApprove), told: "ann may not"},
		"locked out by another run":      {user: "U0LOCK", value: yes, told: "lock is locked out by run " + event.HashID("run", "locks")},
		"locked out, and pauses":         {user: "U0LOCK", value: r.app.board.face.Seal(Order{Deed: DeedPause}), told: "lock is locked out by run"},
		"not known":                      {user: "U0ANY", value: yes, told: "not among the people"},
		"a guest":                        {user: "U0GUEST", value: yes, told: "only full members"},
		"a bot":                          {user: "U0BOT", value: yes, told: "only full members"},
		"a deleted account":              {user: "U0GONE", value: yes, told: "only full members"},
		"another workspace":              {user: "U0FAR", value: yes, told: "your workspace is not one", change: func(p *workspace.Press) { p.Team = "T0FAR" }},
		"a name of ours elsewhere":       {user: "U0ANN", value: yes, told: "your workspace is not one", change: func(p *workspace.Press) { p.Team = "T0FAR" }},
		"sealed by somebody else":        {user: "U0ANN", value: stranger.Seal(Order{Deed: DeedApprove, On: run.ID, Approval: run.Approval.ID, Digest: run.Approval.Digest}), told: "not made by this Firebreak"},
		"a changed value":                {user: "U0ANN", value: strings.Replace(yes, "approve", "deny", 1), told: "not made by this Firebreak"},
		"no value":                       {user: "U0ANN", value: "", told: "not made by this Firebreak"},
		"another question":               {user: "U0ANN", value: sealed(func(o *Order) { o.Approval = "old" }), told: "the plan has changed"},
		"another plan":                   {user: "U0ANN", value: sealed(func(o *Order) { o.Digest = "old" }), told: "the plan has changed"},
		"another run":                    {user: "U0ANN", value: sealed(func(o *Order) { o.On = event.HashID("none") }), told: "there is no such run"},
		"no id of a run":                 {user: "U0ANN", value: sealed(func(o *Order) { o.On = "in" }), told: "there is no such run"},
		"a deed that there is not":       {user: "U0ANN", value: sealed(func(o *Order) { o.Deed = "delete-all" }), told: "not made by this Firebreak"},
		"decided already, and says whom": {user: "U0ANN", value: r.app.board.face.Seal(Order{Deed: DeedApprove, On: over.ID, Approval: over.Approval.ID, Digest: over.Approval.Digest}), told: "granted: bob"},
	} {
		t.Run(name, func(t *testing.T) {
			change := c.change
			if change == nil {
				change = func(*workspace.Press) {}
			}
			if got := r.press(c.user, c.value, change); got != http.StatusOK {
				t.Errorf("status %d", got)
			}
			r.told(c.user, c.told)
		})
	}
	for _, x := range []event.Run{run, other, over} {
		if list := r.inputs(x.ID); len(list) != 0 {
			t.Errorf("stored for %s: %+v", x.Target.Name, list)
		}
	}
}

// TestReplay: a request that is sent again has no effect, and is answered as the
// first; one that could not be stored may come again.
func TestReplay(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	body := workspace.Form(workspace.Press{User: "U0ANN", Channel: channel, Action: "x", Value: r.value(run, DeedApprove), At: r.clock()}.Payload())
	header := workspace.Sign(workspace.Secret, body, r.clock())
	for range 5 {
		status, _, _, err := workspace.Send(r.http.Client(), r.http.URL+"/slack/interactions", body, header)
		if err != nil || status != http.StatusOK {
			t.Fatalf("status %d, %v", status, err)
		}
	}
	if list := r.inputs(run.ID); len(list) != 1 {
		t.Errorf("%d inputs of one request", len(list))
	}
}

// TestForgeries sends a thousand requests of which nothing may count: not signed,
// signed by another secret, for another body, too old or too early, cut, and
// signed ones that are no interactions.
func TestForgeries(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	good := workspace.Form(workspace.Press{User: "U0ANN", Channel: channel, Action: "x", Value: r.value(run, DeedApprove), At: r.clock()}.Payload())
	send := func(body string, header http.Header, want ...int) {
		t.Helper()
		status, _, _, err := workspace.Send(r.http.Client(), r.http.URL+"/slack/interactions", body, header)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if status == w {
				return
			}
		}
		t.Errorf("status %d, want %v: %.60q", status, want, body)
	}
	n := 0
	for i := range 120 {
		age := 5*time.Minute + time.Duration(i+2)*time.Second
		send(good, http.Header{}, 401)
		send(good, workspace.Sign("another secret", good, r.clock()), 401)
		send(good+"&x=1", workspace.Sign(workspace.Secret, good, r.clock()), 401)
		send(good, workspace.Sign(workspace.Secret, good, r.clock().Add(-age)), 401)
		send(good, workspace.Sign(workspace.Secret, good, r.clock().Add(age)), 401)
		cut := good[:len(good)*(i+1)/130]
		send(cut, workspace.Sign(workspace.Secret, cut, r.clock()), 200, 400)
		h := workspace.Sign(workspace.Secret, good, r.clock())
		h.Set("X-Slack-Signature", h.Get("X-Slack-Signature")[:len("v0=")+i%64])
		send(good, h, 401)
		foreign := workspace.Form(workspace.Press{User: "U0ANN", Team: "T0FAR", Channel: channel, Action: "x", Value: r.value(run, DeedApprove), At: r.clock().Add(time.Duration(i) * time.Second)}.Payload())
		send(foreign, workspace.Sign(workspace.Secret, foreign, r.clock()), 200)
		n += 8
	}
	for _, payload := range []string{
		"", "null", "{}", "[]", `"x"`, "{", strings.Repeat("[", 5000), `{"type":"block_actions","user":{"id":"U0ANN","team_id":"T0001"},"actions":[]}`,
		`{"type":"block_actions","user":{"id":"U0ANN","team_id":"T0001"},"actions":[null]}`,
		`{"type":"block_actions","user":{"id":"U0ANN","team_id":"T0001"},"actions":[{"type":"button","value":"x","action_ts":"-1"}]}`,
		`{"type":"view_submission","user":{"id":"U0ANN","team_id":"T0001"},"view":{"callback_id":"firebreak_reason"}}`,
		`{"type":"view_submission","user":{"id":"U0ANN","team_id":"T0001"},"view":{"callback_id":"another","state":{"values":{}}}}`,
		`{"type":"block_actions","actions":[{"type":"button"}]}`, strings.Repeat("x", maxPayload),
	} {
		body := workspace.Form([]byte(payload))
		for range 4 {
			send(body, workspace.Sign(workspace.Secret, body, r.clock()), 200, 400)
			n++
		}
	}
	if list := r.inputs(run.ID); len(list) != 0 || n < 1000 {
		t.Errorf("%d forgeries, stored: %+v", n, list)
	}
	t.Logf("%d forgeries, none counts", n)
}

// TestReasonIsAskedFor: where the playbook wants a reason, a form asks for it, and
// only what comes from the form counts.
func TestReasonIsAskedFor(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1", func(n *event.Run) { n.Approval.Explain = true })
	r.press("U0ANN", r.value(run, DeedApprove))
	views := r.space.Views()
	if len(views) != 1 || len(r.inputs(run.ID)) != 0 {
		t.Fatalf("%d forms, inputs %+v", len(views), r.inputs(run.ID))
	}
	r.post(workspace.Form(workspace.Submission("U0EVE", views[0], "let me")))
	r.told("U0EVE", "eve may not")
	r.post(workspace.Form(workspace.Submission("U0ANN", views[0], "  ")))
	r.told("U0ANN", "the playbook wants a reason")
	if list := r.inputs(run.ID); len(list) != 0 {
		t.Fatalf("stored: %+v", list)
	}
	r.post(workspace.Form(workspace.Submission("U0ANN", views[0], "seen it <!channel>")))
	if list := r.inputs(run.ID); len(list) != 1 || list[0].Vote.Reason != "seen it <!channel>" {
		t.Fatalf("inputs %+v", list)
	}
}

// TestOtherDeeds: undo, delete, extend, keep, verdicts, silences, pause and resume.
func TestOtherDeeds(t *testing.T) {
	r := newRig(t)
	until := r.clock().Add(30 * time.Minute)
	run := r.waiting("web-1", func(n *event.Run) {
		n.State, n.Approval = event.RunHolding, nil
		n.Steps[0].State, n.Steps[0].Until, n.Steps[0].AtEnd, n.Steps[0].EndAsked = event.StepDone, &until, event.AtEndAsk, true
		n.Steps[0].Receipt = &event.Receipt{Result: event.ResultApplied}
	})
	at := r.clock()
	for _, d := range []Deed{DeedRestore, DeedDelete, DeedExtend, DeedKeep} {
		r.press("U0ANN", r.value(run, d), func(p *workspace.Press) { p.At = at })
	}
	list := r.inputs(run.ID)
	if len(list) != 4 || list[0].Kind != event.InputUndo || list[0].AtEnd != event.AtEndRestore || list[1].AtEnd != event.AtEndDelete ||
		list[2].Kind != event.InputExtend || !list[2].Until.Equal(at.Truncate(time.Second).Add(extendFor)) || list[3].Kind != event.InputKeep {
		t.Fatalf("inputs %+v", list)
	}
	r.press("U0BOB", r.value(run, DeedFalse))
	if list := r.inputs(run.Incident.ID); len(list) != 1 || list[0].Verdict != "false" || list[0].User != "bob" {
		t.Errorf("inputs of the incident %+v", list)
	}
	r.press("U0ANN", r.value(run, DeedSilence))
	views := r.space.Views()
	r.post(workspace.Form(workspace.Submission("U0ANN", views[len(views)-1], "known")))
	r.told("U0ANN", "Silenced until")
	seal := r.app.board.face
	r.press("U0ANN", seal.Seal(Order{Deed: DeedPause}))
	r.told("U0ANN", "Paused")
	r.press("U0EVE", seal.Seal(Order{Deed: DeedResume}))
	r.told("U0EVE", "eve may not")
	r.press("U0ANN", seal.Seal(Order{Deed: DeedResume}))
	r.told("U0ANN", "1 of 2")
	r.press("U0BOB", seal.Seal(Order{Deed: DeedResume}))
	r.told("U0BOB", "Resumed")
}
