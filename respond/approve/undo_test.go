package approve

import (
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// TestUndoAll: of all runs, those are told of which something stands, and only
// by who may there.
func TestUndoAll(t *testing.T) {
	r := newRig(t)
	until := r.now.Add(time.Hour)
	begin := func(name, namespace, playbook string, state event.RunState, steps ...event.Step) {
		_, err := r.log.Create(t.Context(), event.Run{
			ID: event.HashID(name), Playbook: playbook, State: state, Target: event.PodRef(namespace, "web"), Steps: steps,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	holding := event.Step{Name: "isolate", State: event.StepDone, Begun: true, Until: &until}
	begin("a", "shop", "contain", event.RunHolding, holding)
	begin("b", "bank", "contain", event.RunHolding, holding)
	begin("c", "shop", "cordon", event.RunRunning, event.Step{Name: "x", State: event.StepIntent, Begun: true})
	begin("d", "shop", "contain", event.RunClosed, event.Step{Name: "x", State: event.StepReverted, Begun: true})
	for _, right := range []string{"rose undo playbooks/", "pat undo playbooks/ bank", "ann undo playbooks/cordon"} {
		r.cluster.may[right] = true
	}
	told := func(token, body string, status int, runs ...string) {
		t.Helper()
		got, text := r.call("POST", "/v1/undo", token, body)
		if got != status {
			t.Fatalf("%s %s answered %d %s", token, body, got, text)
		}
		for _, name := range []string{"a", "b", "c", "d"} {
			want := false
			for _, run := range runs {
				want = want || run == name
			}
			if strings.Contains(text, event.HashID(name)) != want {
				t.Errorf("%s %s answered %s; want %v", token, body, text, runs)
			}
		}
	}
	told("token-rose", `{"reason":"drill"}`, 202, "a", "b", "c")
	told("token-pat", `{}`, 403)
	told("token-pat", `{"namespace":"bank"}`, 202, "b")
	told("token-ann", `{"playbook":"cordon"}`, 202, "c")
	told("token-rose", `{"at_end":"ask"}`, 400)
	told("", `{}`, 401)
	n := 0
	for m, err := range r.bus.History(t.Context(), bus.SubjectInput(event.HashID("b"))) {
		if err != nil || !strings.Contains(string(m.Data), `"kind":"undo"`) {
			t.Fatalf("%s %v", m.Data, err)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d inputs for run b, want 2", n)
	}
}

// TestTwoResume: one pauses, two different people end it, and soon after one
// another; a new pause in between begins anew.
func TestTwoResume(t *testing.T) {
	r := newRig(t)
	r.api = r.made(respond.NewControl(r.bus, event.ModeAct).Needs(2))
	for _, right := range []string{"ann delete pauses/", "pat delete pauses/"} {
		r.cluster.may[right] = true
	}
	say := func(token, path, body, want string) {
		t.Helper()
		if status, text := r.call("POST", path, token, body); status != 200 || !strings.Contains(text, want) {
			t.Fatalf("%s %s answered %d %s; want %s", token, path, status, text, want)
		}
	}
	say("token-pat", "/v1/pause", `{"reason":"drill"}`, `"paused":true,"by":"pat"`)
	say("token-rose", "/v1/resume", ``, `"paused":true,"by":"pat","reason":"drill","since":"2026-01-02T03:04:05Z","release":["rose"],"need":2`)
	say("token-rose", "/v1/resume", ``, `"release":["rose"]`)
	r.now = r.now.Add(16 * time.Minute)
	say("token-ann", "/v1/resume", ``, `"release":["ann"]`)
	say("token-pat", "/v1/pause", ``, `"paused":true,"by":"pat","reason":"drill","since":"2026-01-02T03:04:05Z","ceiling"`)
	say("token-ann", "/v1/resume", ``, `"release":["ann"]`)
	say("token-rose", "/v1/resume", ``, `"paused":false`)
	say("token-pat", "/v1/mode", `{"mode":"observe"}`, `"ceiling":"observe"`)
	say("token-rose", "/v1/mode", `{"mode":"ask"}`, `"ceiling":"observe","raise":["rose"],"to":"ask"`)
	say("token-ann", "/v1/mode", `{"mode":"act"}`, `"ceiling":"observe","raise":["ann"],"to":"act"`)
	say("token-rose", "/v1/mode", `{"mode":"act"}`, `"ceiling":"act"`)
	if status, text := r.call("POST", "/v1/mode", "token-bob", `{"mode":"observe"}`); status != 403 {
		t.Errorf("answered %d %s", status, text)
	}
	if status, text := r.call("POST", "/v1/mode", "token-pat", `{"mode":"all"}`); status != 400 {
		t.Errorf("answered %d %s", status, text)
	}
}
