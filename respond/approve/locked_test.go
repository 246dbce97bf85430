package approve

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// locking stores a run that locks somebody out by a hold that stands.
func (r *rig) locking(name string, who event.Identity) runlog.Record {
	r.t.Helper()
	until := r.now.Add(time.Hour)
	rec, err := r.log.Create(r.t.Context(), event.Run{
		ID: event.HashID("locks", name), Playbook: "contain", State: event.RunHolding, Target: event.PodRef("shop", "db"),
		Steps: []event.Step{{Name: "deny", State: event.StepDone, Until: &until, Plan: &event.Plan{Denies: []event.Identity{who}}}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

// TestLockedOutDecidesNothing: while a run locks somebody out no word of theirs
// counts, on whatever it is and although the cluster would allow it; they may look.
// It is on the record of the run that locks them out once, and among the alarms.
// Others may all, and once it is undone they may again.
func TestLockedOutDecidesNothing(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"ann", "bob"} {
		for _, right := range []string{"approve playbooks/contain shop", "undo playbooks/contain shop", "break-glass playbooks/contain shop"} {
			r.cluster.may[name+" "+right] = true
		}
	}
	locks := r.locking("ann", event.Identity{User: "ann"})
	run := "/v1/runs/" + r.run.Run.ID
	until := r.now.Add(time.Hour).Format(time.RFC3339)
	for path, body := range map[string]string{
		run + "/approve": `{"digest":"d1"}`, run + "/deny": `{"digest":"d1"}`, run + "/break-glass": `{"digest":"d1","reason":"now"}`,
		run + "/undo": "", run + "/keep": "", run + "/extend": `{"until":"` + until + `"}`, "/v1/undo": "", "/v1/approvals/rest/approve": `{"digest":"d1"}`,
		"/v1/start":  `{"playbook":"contain","resource":"pods","namespace":"shop","name":"web","reason":"now"}`,
		"/v1/resume": "", "/v1/pause": "", "/v1/mode": `{"mode":"observe"}`, "/v1/playbooks/contain/mode": `{"mode":"observe"}`,
		"/v1/incidents/" + locks.Run.ID + "/close": "", "/v1/incidents/" + locks.Run.ID + "/ack": "", "/v1/incidents/" + locks.Run.ID + "/verdict": `{"true":false}`,
		"/v1/findings/" + locks.Run.ID + "/verdict": `{"true":false}`, "/v1/silences": `{"when":"true","why":"x","until":"` + until + `"}`,
		"/v1/silences/" + locks.Run.ID + "/end": "", "/v1/models/m/pin": "", "/v1/reviews/" + locks.Run.ID + "/close": `{"reason":"x"}`,
	} {
		if status, text := r.call("POST", path, "token-ann", body); status != 403 || !strings.Contains(text, "ann is locked out by run "+locks.Run.ID) {
			t.Errorf("%s answered %d %s", path, status, text)
		}
	}
	if status, text := r.call("DELETE", "/v1/readers/r", "token-ann", ""); status != 403 || !strings.Contains(text, "locked out") {
		t.Errorf("forget answered %d %s", status, text)
	}
	if status, text := r.call("GET", run, "token-ann", ""); status != 200 {
		t.Errorf("to look answered %d %s", status, text)
	}
	r.call("POST", run+"/approve", "token-ann", `{"digest":"d1"}`)
	told := map[string]int{}
	for m, err := range r.bus.History(t.Context(), bus.SubjectInput(locks.Run.ID)) {
		var in event.Input
		if err := errors.Join(err, json.Unmarshal(m.Data, &in)); err != nil {
			t.Fatal(err)
		}
		if in.Kind != event.InputRefused || in.Run != locks.Run.ID || in.User != "ann" {
			t.Fatalf("stored %+v", in)
		}
		told[in.Reason]++
	}
	if told["approve playbooks contain in namespace shop"] != 1 || told["undo playbooks contain in namespace shop"] != 1 {
		t.Errorf("on record: %v", told)
	}
	alarms, err := respond.NewControl(r.bus, event.ModeAsk).PeopleAlarms(t.Context())
	if err != nil || len(alarms) != len(told) || alarms[0].User != "ann" || alarms[0].Kind != respond.AlarmLocked || !strings.Contains(alarms[0].Text, "tried to ") {
		t.Errorf("alarms %+v %v", alarms, err)
	}
	if list := r.inputs(); len(list) > 0 {
		t.Errorf("stored for the other run: %+v", list)
	}
	for deed, body := range map[string]string{"break-glass": `{"digest":"d1","reason":"now"}`, "approve": `{"digest":"d1"}`, "undo": ""} {
		if status, text := r.call("POST", run+"/"+deed, "token-bob", body); status != 202 {
			t.Errorf("somebody else's %s answered %d %s", deed, status, text)
		}
	}
	over := locks.Run
	over.Steps = []event.Step{over.Steps[0]}
	over.Steps[0].State = event.StepReverted
	if _, err := r.log.Append(t.Context(), locks, over); err != nil {
		t.Fatal(err)
	}
	if status, text := r.call("POST", run+"/approve", "token-ann", `{"digest":"d1"}`); status != 202 {
		t.Errorf("after it was undone they are answered %d %s", status, text)
	}
}

// TestWhoIsLockedOut: by name or as a member of a group, but for who has the
// stronger authentication that the step lets go on.
func TestWhoIsLockedOut(t *testing.T) {
	extra := map[string][]string{"example.com/amr": {"mfa"}}
	for name, tt := range map[string]struct {
		who  event.Identity
		user kube.User
		want bool
	}{
		"user":               {event.Identity{User: "ann"}, kube.User{Name: "ann"}, true},
		"another user":       {event.Identity{User: "ann"}, kube.User{Name: "bob"}, false},
		"nobody":             {event.Identity{}, kube.User{}, false},
		"group":              {event.Identity{Group: "staff"}, kube.User{Name: "ann", Groups: []string{"staff"}}, true},
		"group of a name":    {event.Identity{Group: "ann"}, kube.User{Name: "ann"}, false},
		"of a group, master": {event.Identity{Group: "staff"}, kube.User{Name: "ann", Groups: []string{"staff", "system:masters"}}, false},
		"named, and master":  {event.Identity{User: "ann"}, kube.User{Name: "ann", Groups: []string{"system:masters"}}, true},
		"stronger":           {event.Identity{User: "ann", Extra: "example.com/amr", Value: "mfa"}, kube.User{Name: "ann", Extra: extra}, false},
		"not stronger":       {event.Identity{User: "ann", Extra: "example.com/amr", Value: "hwk"}, kube.User{Name: "ann", Extra: extra}, true},
		"in Slack":           {event.Identity{User: "ann", Extra: "example.com/amr", Value: "mfa"}, kube.User{Name: "ann"}, true},
	} {
		if got := tt.who.Is(tt.user.Name, tt.user.Groups, tt.user.Extra); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	denies := event.Run{Target: event.PodRef("shop", "web"), Steps: []event.Step{{Plan: &event.Plan{Denies: []event.Identity{{User: "ann"}}}}}}
	if !about(denies, kube.User{Name: "ann"}) || about(denies, kube.User{Name: "bob"}) {
		t.Error("a run that would deny somebody by the user that the step names is not about them alone")
	}
}

// TestSaidBefore: who is about to decide hears before whether it would count, with the
// reason that they would hear then, and nothing is stored. That somebody who is locked
// out asked is on record like an attempt.
func TestSaidBefore(t *testing.T) {
	r := newRig(t)
	r.cluster.may["ann break-glass playbooks/contain shop"] = true
	run := r.run.Run
	run.Approval = &event.Approval{
		State: event.ApprovalOpen, Digest: "d1", Need: 2, By: []string{"group/oncall-ann"}, Excluded: []string{"pat"}, Expires: r.now.Add(time.Hour),
	}
	rec, err := r.log.Append(t.Context(), r.run, run)
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"pat", "rose"} {
		r.cluster.may[who+" approve playbooks/contain shop"] = true
	}
	at := "/v1/runs/" + run.ID
	for _, tt := range []struct {
		who, deed, body string
		status          int
		text            string
	}{
		{"ann", "approve", `{"digest":"d1"}`, 200, `"user":"ann"`},
		{"ann", "deny", `{"digest":"d1"}`, 200, ""},
		{"ann", "undo", "", 200, ""},
		{"ann", "break-glass", `{"digest":"d1","reason":"now"}`, 200, ""},
		{"ann", "break-glass", `{"digest":"d1"}`, 400, "has to say why"},
		{"ann", "approve", `{"digest":"d0"}`, 409, "has changed"},
		{"ann", "explode", "", 404, "are what can be said"},
		{"bob", "approve", `{"digest":"d1"}`, 403, "bob may not approve playbooks.firebreak.io contain in namespace shop"},
		{"pat", "approve", `{"digest":"d1"}`, 403, "your vote does not count: who started the run"},
		{"rose", "approve", `{"digest":"d1"}`, 403, "your vote does not count: not among those who may approve: group/oncall-ann"},
		{"nobody", "approve", `{"digest":"d1"}`, 401, ""},
	} {
		if status, text := r.call("POST", at+"/"+tt.deed+"/may", "token-"+tt.who, tt.body); status != tt.status || !strings.Contains(text, tt.text) {
			t.Errorf("%s asks about %s: answered %d %s", tt.who, tt.deed, status, text)
		}
	}
	over := rec.Run
	over.State = event.RunExpired
	if _, err := r.log.Append(t.Context(), rec, over); err != nil {
		t.Fatal(err)
	}
	if status, text := r.call("POST", at+"/break-glass/may", "token-ann", `{"reason":"now"}`); status != 200 {
		t.Errorf("of one that nobody approved in time: answered %d %s", status, text)
	}
	if list := r.inputs(); len(list) > 0 {
		t.Errorf("stored: %+v", list)
	}
	locks := r.locking("ann", event.Identity{User: "ann"})
	if status, text := r.call("POST", at+"/approve/may", "token-ann", `{"digest":"d1"}`); status != 403 || !strings.Contains(text, "ann is locked out by run "+locks.Run.ID) {
		t.Errorf("who is locked out: answered %d %s", status, text)
	}
	if alarms, err := respond.NewControl(r.bus, event.ModeAsk).PeopleAlarms(t.Context()); err != nil || len(alarms) != 1 {
		t.Errorf("alarms %+v %v", alarms, err)
	}
}
