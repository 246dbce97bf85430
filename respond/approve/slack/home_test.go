package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// home opens somebody's home tab, and gives it.
func (r *rig) home(user string) workspace.Message {
	r.t.Helper()
	before := len(r.space.Views())
	body := fmt.Sprintf(`{"type":"event_callback","team_id":%q,"event":{"type":"app_home_opened","user":%q,"tab":"home"}}`, workspace.Team, user)
	if status := sent(r.t, r.handler, "/slack/events", body, workspace.Sign(workspace.Secret, body, r.clock())); status != http.StatusOK {
		r.t.Fatalf("status %d", status)
	}
	if !r.space.Wait(4*time.Minute, func() bool { return len(r.space.Views()) > before }) {
		r.t.Fatalf("no home; refused: %q", r.space.Refused())
	}
	v := r.space.Views()[before]
	var m workspace.Message
	data, err := json.Marshal(v.Body["blocks"])
	if err == nil {
		err = json.Unmarshal(data, &m.Blocks)
	}
	if err != nil || v.User != user {
		r.t.Fatalf("the home of %s: %v", v.User, err)
	}
	return m
}

// TestHome: the app's own tab lists what stands open, of which one can decide and
// pause right there; who may not see it sees nothing of it.
func TestHome(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	until := r.clock().Add(time.Hour)
	r.waiting("web-2", func(n *event.Run) {
		n.State, n.Approval = event.RunHolding, nil
		n.Steps[0].State, n.Steps[0].Until = event.StepDone, &until
	})
	shown := r.home("U0ANN")
	for _, want := range []string{"Firebreak is at work", "1 decision to be made", "2 open incidents", "pods/shop/web-1", "What is held", "isolate holds pods/shop/web-2"} {
		if !strings.Contains(shown.Shows(), want) {
			t.Errorf("the home lacks %q: %s", want, shown.Shows())
		}
	}
	for _, user := range []string{"U0EVE", "U0ANY"} {
		if text := r.home(user).Shows(); strings.Contains(text, "web-1") || strings.Contains(text, "Pause") {
			t.Errorf("%s sees %s", user, text)
		}
	}
	press := func(user string, from workspace.Message, action Deed) {
		t.Helper()
		value, ok := from.Button(string(action))
		if !ok {
			t.Fatalf("no button %s in %s", action, from.Shows())
		}
		if got := r.press(user, value, func(p *workspace.Press) { p.Channel = "" }); got != http.StatusOK {
			t.Errorf("status %d", got)
		}
	}
	press("U0BOB", shown, DeedApprove)
	if list := r.inputs(run.ID); len(list) != 1 || list[0].User != "bob" {
		t.Errorf("inputs %+v", list)
	}
	press("U0ANN", shown, DeedPause)
	r.post(workspace.Form(workspace.Submission("U0ANN", r.lastView(), "looks odd")))
	r.told("U0ANN", "Paused")
	shown = r.home("U0ANN")
	if !strings.Contains(shown.Shows(), "paused by ann: looks odd") {
		t.Errorf("the home is %s", shown.Shows())
	}
	press("U0ANN", shown, DeedResume)
	r.told("U0ANN", "1 of 2")
	press("U0BOB", shown, DeedResume)
	r.told("U0BOB", "Resumed")
	if text := r.home("U0BOB").Shows(); !strings.Contains(text, "Firebreak is at work") {
		t.Errorf("the home is %s", text)
	}
}

// slow is an authority that notes until when it may take.
type slow struct {
	authority
	until *atomic.Pointer[time.Time]
}

func (s slow) Allowed(ctx context.Context, u kube.User, verb, group, resource, name, namespace string) (bool, string, error) {
	if at, ok := ctx.Deadline(); ok {
		s.until.Store(&at)
	}
	return s.authority.Allowed(ctx, u, verb, group, resource, name, namespace)
}

// TestAnsweredInTime: Slack waits for three seconds, so whatever is asked for a
// click, a form or a command ends before, whichever way it came.
func TestAnsweredInTime(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	until := new(atomic.Pointer[time.Time])
	desk := r.app.clerk.desk
	desk.Authority = slow{r.rights, until}
	r.app.clerk.desk, r.app.view.desk, r.app.clerk.within = desk, desk, time.Hour
	if takeWithin >= 3*time.Second {
		t.Errorf("a click may take %s", takeWithin)
	}
	command := "team_id=T0001&user_id=U0ANN&channel_id=" + channel + "&command=%2Ffirebreak&text=&trigger_id=t1"
	for what, do := range map[string]func(){
		"a click": func() { r.press("U0ANN", r.value(run, DeedApprove)) },
		"a command": func() {
			sent(t, r.handler, "/slack/commands", command, workspace.Sign(workspace.Secret, command, r.clock()))
		},
		"a payload": func() {
			r.app.click(t.Context(), workspace.Press{User: "U0BOB", Channel: channel, Action: "x", Value: r.value(run, DeedDeny), At: r.clock()}.Payload())
		},
	} {
		until.Store(nil)
		do()
		if at := until.Load(); at == nil || time.Until(*at) > time.Hour {
			t.Errorf("%s may take until %v", what, at)
		}
	}
	if list := r.inputs(run.ID); len(list) != 2 || !slices.ContainsFunc(list, func(in event.Input) bool { return in.User == "bob" }) {
		t.Errorf("inputs %+v", list)
	}
}
