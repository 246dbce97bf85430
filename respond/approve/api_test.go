package approve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// reviewer is a cluster that knows some tokens, and what their owners may.
type reviewer struct {
	users map[string]kube.User
	// may are "USER VERB RESOURCE/NAME NAMESPACE".
	may  map[string]bool
	away bool
}

func (r *reviewer) ReviewToken(_ context.Context, token string) (kube.User, error) {
	if r.away {
		return kube.User{}, errors.New("dial tcp 10.9.8.7:443: refused")
	}
	u, ok := r.users[token]
	if !ok {
		return kube.User{}, fmt.Errorf("review: %w", kube.ErrUnauthenticated)
	}
	return u, nil
}

func (r *reviewer) Allowed(_ context.Context, u kube.User, verb, group, resource, name, namespace string) (bool, string, error) {
	if group != Group {
		return false, "", fmt.Errorf("group %q", group)
	}
	return r.may[strings.TrimSpace(fmt.Sprintf("%s %s %s/%s %s", u.Name, verb, resource, name, namespace))], "no rule", nil
}

// rig is the API on a real bus with one run that waits for approval.
type rig struct {
	t       *testing.T
	bus     *bus.Bus
	api     http.Handler
	cluster *reviewer
	log     *runlog.Log
	run     runlog.Record
	now     time.Time
}

var everything = []string{
	"ann list runs/", "ann get runs/", "ann list incidents/", "ann approve playbooks/contain shop",
	"ann undo playbooks/contain shop", "ann get pauses/", "pat create pauses/", "rose delete pauses/",
}

func newRig(t *testing.T) *rig {
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	r := &rig{t: t, bus: b, log: runlog.New(b, 0), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	r.cluster = &reviewer{users: map[string]kube.User{}, may: map[string]bool{}}
	for _, name := range []string{"ann", "bob", "pat", "rose"} {
		r.cluster.users["token-"+name] = kube.User{Name: name, Groups: []string{"staff", "oncall-" + name}}
	}
	for _, right := range everything {
		r.cluster.may[right] = true
	}
	r.api = r.made(respond.NewControl(b, event.ModeAsk))
	r.run, err = r.log.Create(t.Context(), event.Run{
		ID: event.HashID("run"), Playbook: "contain", State: event.RunAwaiting, Target: event.PodRef("shop", "web"),
		Approval: &event.Approval{State: event.ApprovalOpen, Digest: "d1", Need: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) made(c *respond.Control) http.Handler {
	return (&API{
		Reviewer: r.cluster, Bus: r.bus, Log: r.log, Incidents: incident.NewList(r.bus), Control: c, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return r.now },
	}).Handler()
}

// call sends a request as somebody; a name without a token sends none.
func (r *rig) call(method, path, token, body string) (int, string) {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), method, path, strings.NewReader(body))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

func (r *rig) inputs() []event.Input {
	r.t.Helper()
	var list []event.Input
	for m, err := range r.bus.History(r.t.Context(), bus.SubjectInput(r.run.Run.ID)) {
		if err != nil {
			r.t.Fatal(err)
		}
		var in event.Input
		if err := json.Unmarshal(m.Data, &in); err != nil {
			r.t.Fatal(err)
		}
		list = append(list, in)
	}
	return list
}

func TestAnswers(t *testing.T) {
	r := newRig(t)
	run := "/v1/runs/" + r.run.Run.ID
	none := "/v1/runs/" + event.HashID("none")
	until := func(d time.Duration) string {
		return fmt.Sprintf(`{"until":%q}`, r.now.Add(d).Format(time.RFC3339))
	}
	long := `{"reason":"` + strings.Repeat("x", maxReason+1) + `"}`
	tests := []struct {
		name, method, path, token, body string
		status                          int
		text                            string
	}{
		{"no token", "GET", "/v1/runs", "", "", 401, "bearer token"},
		{"empty token", "GET", "/v1/runs", " ", "", 401, ""},
		{"unknown token", "GET", "/v1/runs", "stolen", "", 401, "does not know"},
		{"unknown token says something", "POST", run + "/approve", "stolen", `{"digest":"d1"}`, 401, ""},
		{"unknown token pauses", "POST", "/v1/pause", "stolen", "", 401, ""},
		{"list without the right", "GET", "/v1/runs", "token-bob", "", 403, "bob may not list runs.firebreak.io: no rule"},
		{"show without the right", "GET", run, "token-bob", "", 403, "get runs.firebreak.io"},
		{"show nothing without the right", "GET", none, "token-bob", "", 403, "get runs.firebreak.io"},
		{"history without the right", "GET", run + "/history", "token-bob", "", 403, "get runs.firebreak.io"},
		{"incidents without the right", "GET", "/v1/incidents", "token-bob", "", 403, "list incidents.firebreak.io"},
		{"vote without the right", "POST", run + "/approve", "token-bob", `{"digest":"d1"}`, 403, "approve playbooks.firebreak.io contain in namespace shop"},
		{"deny without the right", "POST", run + "/deny", "token-bob", `{"digest":"d1"}`, 403, "approve playbooks.firebreak.io contain in namespace shop"},
		{"undo without the right", "POST", run + "/undo", "token-bob", "", 403, "undo playbooks.firebreak.io contain in namespace shop"},
		{"extend without the right", "POST", run + "/extend", "token-bob", until(time.Hour), 403, "undo playbooks"},
		{"pause without the right", "POST", "/v1/pause", "token-ann", "", 403, "create pauses"},
		{"resume without the right", "POST", "/v1/resume", "token-pat", "", 403, "delete pauses"},
		{"malformed id", "GET", "/v1/runs/..%2fx", "token-ann", "", 404, "no such run"},
		{"a subject's wildcard", "GET", "/v1/runs/*", "token-ann", "", 404, "no such run"},
		{"capital id", "GET", "/v1/runs/" + strings.ToUpper(r.run.Run.ID), "token-ann", "", 404, ""},
		{"unknown run", "GET", none, "token-ann", "", 404, "no such run"},
		{"history of an unknown run", "GET", none + "/history", "token-ann", "", 404, "no such run"},
		{"vote on an unknown run", "POST", none + "/approve", "token-ann", "", 404, "no such run"},
		{"unknown deed", "POST", run + "/explode", "token-ann", "", 404, "approve, deny, break-glass, undo, extend and keep"},
		{"vote on another plan", "POST", run + "/approve", "token-ann", `{"digest":"d0"}`, 409, "has changed"},
		{"vote on no plan", "POST", run + "/approve", "token-ann", "", 409, "has changed"},
		{"no JSON", "POST", run + "/approve", "token-ann", "digest=d1", 400, "can't be read"},
		{"unknown field", "POST", run + "/approve", "token-ann", `{"user":"root"}`, 400, "unknown field"},
		{"a long reason", "POST", run + "/undo", "token-ann", long, 400, "over 1024 bytes"},
		{"a large body", "POST", run + "/undo", "token-ann", `{"reason":"` + strings.Repeat("x", maxBody) + `"}`, 413, "over 65536 bytes"},
		{"an end that there is not", "POST", run + "/undo", "token-ann", `{"at_end":"ask"}`, 400, "restore or delete"},
		{"an end in the past", "POST", run + "/extend", "token-ann", until(-time.Hour), 400, "within the next"},
		{"no end", "POST", run + "/extend", "token-ann", "{}", 400, "within the next"},
		{"an end too far", "POST", run + "/extend", "token-ann", until(25 * time.Hour), 400, "within the next"},
		{"list", "GET", "/v1/runs", "token-ann", "", 200, r.run.Run.ID},
		{"show", "GET", run, "token-ann", "", 200, `"record":1`},
		{"history", "GET", run + "/history", "token-ann", "", 200, `[{"id"`},
		{"incidents", "GET", "/v1/incidents", "token-ann", "", 200, "[]"},
		{"pause is told", "GET", "/v1/pause", "token-ann", "", 200, `"paused":false`},
		{"receipt without the right", "GET", run + "/receipt", "token-bob", "", 403, "get runs.firebreak.io"},
		{"keep without the right", "POST", run + "/keep", "token-bob", "", 403, "undo playbooks.firebreak.io contain in namespace shop"},
		{"undo of all without the right", "POST", "/v1/undo", "token-bob", "", 403, "bob may not"},
		{"a start without the right", "POST", "/v1/start", "token-bob", `{"playbook":"contain","resource":"pods","namespace":"shop","name":"web","reason":"seen"}`, 403, "start playbooks.firebreak.io contain in namespace shop"},
		{"an incident without the right", "GET", "/v1/incidents/" + event.HashID("none"), "token-bob", "", 403, "list incidents.firebreak.io"},
		{"an incident closed without the right", "POST", "/v1/incidents/" + event.HashID("none") + "/close", "token-ann", "", 403, "update incidents.firebreak.io"},
		{"an incident judged without the right", "POST", "/v1/incidents/" + event.HashID("none") + "/verdict", "token-ann", `{"true":false}`, 403, "create verdicts.firebreak.io"},
		{"an unknown incident", "GET", "/v1/incidents/" + event.HashID("none"), "token-ann", "", 404, "no such incident"},
		{"the ceiling without the right", "POST", "/v1/mode", "token-ann", `{"mode":"observe"}`, 403, "ann may not"},
		{"modes of playbooks without the right", "POST", "/v1/playbooks/contain/mode", "token-ann", `{"mode":"act"}`, 403, "update playbooks.firebreak.io"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := r.call(tt.method, tt.path, tt.token, tt.body)
			if status != tt.status || !strings.Contains(body, tt.text) {
				t.Errorf("answered %d %s; want %d with %q", status, body, tt.status, tt.text)
			}
			if status >= 400 && strings.HasPrefix(tt.path, "/v1/") && !json.Valid([]byte(body)) {
				t.Errorf("the error is no JSON: %s", body)
			}
		})
	}
	if in := r.inputs(); len(in) != 0 {
		t.Errorf("what was refused is stored: %+v", in)
	}
}

// TestVoteIsTheReviewedUsers: who votes is whom the cluster says, whatever the
// body says.
func TestVoteIsTheReviewedUsers(t *testing.T) {
	r := newRig(t)
	run := "/v1/runs/" + r.run.Run.ID
	for _, deed := range []string{"approve", "deny"} {
		status, body := r.call("POST", run+"/"+deed, "token-ann", `{"digest":"d1","reason":"seen"}`)
		var said Said
		if err := json.Unmarshal([]byte(body), &said); status != 202 || err != nil || said.User != "ann" || said.Sequence == 0 {
			t.Fatalf("%s answered %d %s", deed, status, body)
		}
	}
	in := r.inputs()
	if len(in) != 2 || in[0].ID == in[1].ID {
		t.Fatalf("stored %+v", in)
	}
	for i, approve := range []bool{true, false} {
		v := in[i].Vote
		if v == nil || v.User != "ann" || in[i].User != "ann" || v.Approve != approve || v.Digest != "d1" || v.Reason != "seen" ||
			!slices.Equal(v.Groups, []string{"staff", "oncall-ann"}) || !v.Time.Equal(r.now) {
			t.Errorf("stored vote %+v of %s", v, in[i].User)
		}
	}
}

func TestUndoAndExtendAreStored(t *testing.T) {
	r := newRig(t)
	run := "/v1/runs/" + r.run.Run.ID
	until := r.now.Add(2 * time.Hour)
	for deed, body := range map[string]string{"undo": `{"at_end":"delete"}`, "extend": fmt.Sprintf(`{"until":%q}`, until.Format(time.RFC3339))} {
		if status, text := r.call("POST", run+"/"+deed, "token-ann", body); status != 202 {
			t.Fatalf("%s answered %d %s", deed, status, text)
		}
	}
	for _, in := range r.inputs() {
		if in.User != "ann" || in.Kind == event.InputUndo && in.AtEnd != event.AtEndDelete || in.Kind == event.InputExtend && !in.Until.Equal(until) {
			t.Errorf("stored %+v", in)
		}
	}
}

func TestWhatARunCanNotHear(t *testing.T) {
	r := newRig(t)
	run := r.run.Run
	move := func(change func(*event.Run)) {
		t.Helper()
		change(&run)
		rec, err := r.log.Append(t.Context(), r.run, run)
		if err != nil {
			t.Fatal(err)
		}
		r.run = rec
	}
	want := func(deed string, status int, text string) {
		t.Helper()
		if got, body := r.call("POST", "/v1/runs/"+run.ID+"/"+deed, "token-ann", `{"digest":"d1"}`); got != status || !strings.Contains(body, text) {
			t.Errorf("%s answered %d %s; want %d with %q", deed, got, body, status, text)
		}
	}
	move(func(r *event.Run) { r.Approval = &event.Approval{State: event.ApprovalGranted, Digest: "d1"} })
	want("approve", 409, "waits for no approval")
	move(func(r *event.Run) { r.Approval = nil })
	want("deny", 409, "waits for no approval")
	move(func(r *event.Run) { r.State = event.RunClosed })
	want("undo", 409, "the run is over")
}

// TestWhoIsDeniedDecidesNothing: with a stolen credential nobody lifts what was set
// against it, nor lets it stand as they like; those that a run is not about may.
func TestWhoIsDeniedDecidesNothing(t *testing.T) {
	account := kube.User{Name: "system:serviceaccount:shop:web"}
	ann := kube.User{Name: "ann", Groups: []string{"staff"}}
	planned := func(target event.Ref) event.Run {
		return event.Run{Target: event.PodRef("shop", "web"), Steps: []event.Step{{Plan: &event.Plan{Target: target}}}}
	}
	serviceAccount := event.Ref{Resource: "serviceaccounts", Namespace: "shop", Name: "web"}
	for name, tt := range map[string]struct {
		run  event.Run
		user kube.User
		want bool
	}{
		"target":                   {event.Run{Target: event.UserRef("ann")}, ann, true},
		"another user":             {event.Run{Target: event.UserRef("bob")}, ann, false},
		"of a step":                {planned(event.UserRef("ann")), ann, true},
		"group":                    {event.Run{Target: event.GroupRef("staff")}, ann, true},
		"another group":            {event.Run{Target: event.GroupRef("ann")}, ann, false},
		"service account":          {planned(serviceAccount), account, true},
		"account of the name":      {event.Run{Target: event.Ref{Resource: "serviceaccounts", Namespace: "prod", Name: "web"}}, account, false},
		"object that is called so": {event.Run{Target: event.PodRef("shop", "ann")}, ann, false},
		"named in the finding":     {event.Run{Target: event.PodRef("shop", "web"), Finding: event.Finding{Actor: event.Actor{User: "ann"}}}, ann, false},
	} {
		if got := about(tt.run, tt.user); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	r := newRig(t)
	run := r.run.Run
	run.Target = event.UserRef("ann")
	run.Steps = []event.Step{{Name: "deny", State: event.StepDone, Receipt: &event.Receipt{Result: event.ResultApplied}}}
	var err error
	if r.run, err = r.log.Append(t.Context(), r.run, run); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} {
		for _, verb := range []string{"approve", "undo", "break-glass"} {
			r.cluster.may[name+" "+verb+" playbooks/contain"] = true
		}
	}
	for _, deed := range []string{"approve", "deny", "break-glass", "undo", "extend", "keep"} {
		if status, text := r.call("POST", "/v1/runs/"+run.ID+"/"+deed, "token-ann", `{"digest":"d1","reason":"it is me"}`); status != 403 || !strings.Contains(text, "is about ann") {
			t.Errorf("%s answered %d %s", deed, status, text)
		}
	}
	if in := r.inputs(); len(in) > 0 {
		t.Errorf("stored %+v", in)
	}
	if status, text := r.call("POST", "/v1/runs/"+run.ID+"/undo", "token-bob", `{}`); status != 202 {
		t.Errorf("somebody else's undo answered %d %s", status, text)
	}
}

// TestPauseTakesItsRightOnly: who may pause need not be allowed to ask whether
// it is paused.
func TestPauseTakesItsRightOnly(t *testing.T) {
	r := newRig(t)
	status, body := r.call("POST", "/v1/pause", "token-pat", `{"reason":"drill"}`)
	if status != 200 || !strings.Contains(body, `"paused":true,"by":"pat","reason":"drill","since":"2026-01-02T03:04:05Z","ceiling":"ask"`) {
		t.Fatalf("pause answered %d %s", status, body)
	}
	if _, body := r.call("GET", "/v1/pause", "token-ann", ""); !strings.Contains(body, `"paused":true,"by":"pat"`) {
		t.Errorf("then it is %s", body)
	}
	if status, _ := r.call("GET", "/v1/pause", "token-pat", ""); status != 403 {
		t.Errorf("asking answered %d", status)
	}
	if status, body := r.call("POST", "/v1/resume", "token-rose", ""); status != 200 || !strings.Contains(body, `"paused":false`) {
		t.Errorf("resume answered %d %s", status, body)
	}
}

// TestInsidesStayInside: who is not authenticated learns nothing of why.
func TestInsidesStayInside(t *testing.T) {
	r := newRig(t)
	r.cluster.away = true
	status, body := r.call("GET", "/v1/runs", "token-ann", "")
	if status != 503 || strings.Contains(body, "10.9.8.7") {
		t.Errorf("answered %d %s", status, body)
	}
	alone := (&API{Bus: r.bus, Log: r.log, Incidents: incident.NewList(r.bus), Logger: slog.New(slog.DiscardHandler)}).Handler()
	r.api = alone
	if status, _ := r.call("GET", "/v1/runs", "token-ann", ""); status != 503 {
		t.Errorf("without a cluster it answered %d", status)
	}
}
