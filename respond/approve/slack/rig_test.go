package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/workspace"
)

const channel = "C0SEC"

// authority is a cluster that lets people do what the list says: "USER VERB
// RESOURCE/NAME NAMESPACE".
type authority map[string]bool

func (a authority) Allowed(_ context.Context, u kube.User, verb, group, resource, name, namespace string) (bool, string, error) {
	if group != approve.Group {
		return false, "", fmt.Errorf("group %q", group)
	}
	return a[strings.TrimSpace(fmt.Sprintf("%s %s %s/%s %s", u.Name, verb, resource, name, namespace))], "", nil
}

// rig is an app on a real store, with a strict workspace.
type rig struct {
	t     testing.TB
	space *workspace.Server
	bus   *bus.Bus
	log   *runlog.Log
	app   *App
	http  *httptest.Server
	// handler is what the server serves.
	handler http.Handler
	// other is what another responder on the same store serves.
	other   http.Handler
	clock   func() time.Time
	rights  authority
	config  Config
	working func(context.Context, error)
	dir     string
}

var members = []workspace.Member{
	{ID: "U0ANN"}, {ID: "U0BOB"}, {ID: "U0EVE"}, {ID: "U0CFG"}, {ID: "U0GUEST", Restricted: true}, {ID: "U0BOT", Bot: true},
	{ID: "U0GONE", Deleted: true}, {ID: "U0FAR", Team: "T0FAR"}, {ID: "U0ANY"}, {ID: "U0LOCK"},
}

func newRig(t testing.TB, change ...func(*rig)) *rig {
	t.Helper()
	space, stop := workspace.New(channel, members...)
	t.Cleanup(stop)
	return newRigIn(t, space, change...)
}

// newRigIn is one whose Slack is the workspace.
func newRigIn(t testing.TB, space *workspace.Server, change ...func(*rig)) *rig {
	t.Helper()
	r := &rig{t: t, space: space, clock: func() time.Time { return time.Now().UTC() }, dir: t.TempDir()}
	b, err := bus.Open(t.Context(), bus.Options{Dir: fast(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	r.bus, r.log = b, runlog.New(b, 0)
	r.rights = authority{}
	for _, who := range []string{"ann", "bob"} {
		for _, right := range []string{"approve playbooks/contain shop", "undo playbooks/contain shop", "create verdicts/", "create silences/", "create pauses/", "delete pauses/", "list incidents/"} {
			r.rights[who+" "+right] = true
		}
	}
	r.config = Config{
		Teams: []string{workspace.Team}, Channel: channel, API: space.URL(), Token: r.secret("token", workspace.Token),
		SigningSecret: r.secret("signing", workspace.Secret), AppToken: r.secret("app", workspace.AppToken),
		People: []Person{
			{Slack: workspace.Team + "/U0ANN", User: "ann", Groups: []string{"oncall"}}, {Slack: workspace.Team + "/U0BOB", User: "bob", Groups: []string{"oncall"}},
			{Slack: workspace.Team + "/U0EVE", User: "eve", Groups: []string{"oncall"}}, {Slack: workspace.Team + "/U0LOCK", User: "lock", Groups: []string{"oncall"}}, {Slack: workspace.Team + "/U0CFG", Groups: []string{"oncall"}},
			{Slack: workspace.Team + "/U0GUEST", User: "ann"}, {Slack: workspace.Team + "/U0BOT", User: "ann"}, {Slack: workspace.Team + "/U0GONE", User: "ann"},
			{Slack: "T0FAR/U0FAR", User: "ann"},
		},
		Rights: []Right{{Group: "oncall", Verbs: []string{"approve playbooks"}, Namespaces: []string{"shop"}}},
	}
	for _, c := range change {
		c(r)
	}
	r.start()
	return r
}

// fast is a directory for a store that need not survive: in memory, if that can be
// had, and is more than the 64 MB that containers get.
func fast(t testing.TB) string {
	const memory, enough = "/dev/shm", 2 << 30
	var room syscall.Statfs_t
	if err := syscall.Statfs(memory, &room); err != nil || room.Bavail*uint64(room.Bsize) < enough { //nolint:unconvert // Bsize is signed on some systems
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "firebreak-slack-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (r *rig) secret(name, text string) conf.SecretFile {
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return conf.SecretFile{Path: path}
}

// start makes the app anew, as after a restart.
func (r *rig) start() {
	r.t.Helper()
	app, err := New(Options{
		Config: r.config, HTTP: r.space.Client(), Logger: slog.New(slog.DiscardHandler), Now: r.clock, Working: r.working,
		Desk: approve.Desk{
			Authority: r.rights, Bus: r.bus, Log: r.log, Incidents: incident.NewList(r.bus), Control: respond.NewControl(r.bus, event.ModeAct).Needs(2), Logger: slog.New(slog.DiscardHandler),
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	app.clerk.within = 4 * time.Minute // a machine that stands still for seconds loses no click here
	r.app = app
	if r.http != nil {
		r.http.Close()
	}
	r.handler = app.Handler(r.t.Context())
	r.http = httptest.NewServer(r.handler)
	r.t.Cleanup(r.http.Close)
}

// waiting stores an incident with a run that waits for approval.
func (r *rig) waiting(name string, change ...func(*event.Run)) event.Run {
	r.t.Helper()
	now := r.clock().Truncate(time.Second)
	target := event.PodRef("shop", name)
	target.UID = "uid-" + name
	in := event.Incident{
		ID: event.HashID("incident", name), State: event.IncidentOpen, Risk: 87, Confidence: 90, Priority: event.SeverityCritical, Subject: target,
		Rules: []string{"container-escape"}, Count: 3, Findings: []string{event.HashID("finding", name)}, Created: now, Updated: now,
		Why: []string{"severity critical", "namespace shop is important"}, Threats: []string{"container-escape"},
		Timeline: []event.Moment{{Time: now, What: event.MomentFinding, Text: "container-escape: nsenter in " + name}},
	}
	run := event.Run{
		ID: event.HashID("run", name), Playbook: "contain", Version: "v1", State: event.RunAwaiting, Mode: event.ModeAsk, Target: target,
		Finding: event.Finding{ID: in.Findings[0], Rule: "container-escape", Title: "A container reaches for its node", Severity: event.SeverityCritical, Explanation: "nsenter was run"},
		Created: now, Updated: now,
		Steps: []event.Step{{
			Name: "isolate", Action: "pod.quarantine", State: event.StepPlanned, Digest: "d1",
			Plan: &event.Plan{
				Action: "pod.quarantine", Target: target, Summary: "quarantine pods/shop/" + name, Reversible: true, Notes: []string{"open connections may survive"},
				Writes: []event.Write{{Verb: "patch", Resource: "pods", Namespace: "shop", Name: name, Body: json.RawMessage(`{"metadata":{"labels":{"app":null}}}`)}},
				Loss:   &event.Loss{Endpoints: []string{"web"}, Workload: "Deployment shop/web", Wanted: 3, Ready: 3, ReadyAfter: 2, Replaced: true},
			},
		}},
		Approval: &event.Approval{
			ID: event.HashID("approval", name), Steps: []string{"isolate"}, Digest: "0123456789abcdef", Need: 2, By: []string{"group/oncall"},
			Requested: now, Expires: now.Add(15 * time.Minute), State: event.ApprovalOpen, Reasons: []string{"isolate: mode: mode ask"},
		},
	}
	for _, c := range change {
		c(&run)
	}
	run.Incident = in.Brief()
	in.Runs = []event.IncidentRun{{ID: run.ID, Playbook: run.Playbook, Target: target.String(), State: run.State}}
	r.store(in)
	if _, err := r.log.Create(r.t.Context(), run); err != nil {
		r.t.Fatal(err)
	}
	return run
}

func (r *rig) store(in event.Incident) {
	r.t.Helper()
	data, err := json.Marshal(in)
	if err == nil {
		_, err = r.bus.Publish(r.t.Context(), bus.SubjectIncident(in.ID), data)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// change appends a record to a run.
func (r *rig) change(id string, change func(*event.Run)) event.Run {
	r.t.Helper()
	rec, err := r.log.Load(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	run := rec.Run
	run.Steps = slices.Clone(run.Steps)
	change(&run)
	rec, err = r.log.Append(r.t.Context(), rec, run)
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.Run
}

// inputs are what was stored for a run or an incident.
func (r *rig) inputs(id string) []event.Input {
	r.t.Helper()
	var list []event.Input
	for m, err := range r.bus.History(r.t.Context(), bus.SubjectInput(id)) {
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

// value is what a button of a run's question carries.
func (r *rig) value(run event.Run, deed Deed) string {
	r.t.Helper()
	return r.button(Card{Incident: run.Incident, Runs: []event.Run{run}}, deed)
}

// button is what a button of a card carries.
func (r *rig) button(c Card, deed Deed) string {
	r.t.Helper()
	blocks := c.Message(r.app.board.face).Blocks
	for _, b := range blocks {
		row, ok := b.(*slackapi.ActionBlock)
		if !ok {
			continue
		}
		for _, e := range row.Elements.ElementSet {
			if one, ok := e.(*slackapi.ButtonBlockElement); ok && one.ActionID == string(deed) {
				return one.Value
			}
		}
	}
	r.t.Fatalf("no button %s in %+v", deed, blocks)
	return ""
}

// press presses a button over HTTP, and gives the status.
func (r *rig) press(user, value string, change ...func(*workspace.Press)) int {
	r.t.Helper()
	p := workspace.Press{User: user, Channel: channel, Action: "x", Value: value, At: r.clock()}
	for _, c := range change {
		c(&p)
	}
	return r.post(workspace.Form(p.Payload()))
}

func (r *rig) post(body string) int {
	r.t.Helper()
	status, _, took, err := workspace.Send(r.http.Client(), r.http.URL+"/slack/interactions", body, workspace.Sign(workspace.Secret, body, r.clock()))
	if err != nil {
		r.t.Fatal(err)
	}
	if took > 10*time.Second { // three, where the machine does not stand still; what waits for an outcome waits 15
		r.t.Errorf("answered after %s: Slack has given up", took)
	}
	return status
}

// told waits until a user was told something with the text in it.
func (r *rig) told(user, text string) {
	r.t.Helper()
	if !r.space.Wait(4*time.Minute, func() bool {
		return slices.ContainsFunc(r.space.Whispers(user), func(m workspace.Message) bool { return strings.Contains(m.Text, text) })
	}) {
		var all []string
		for _, m := range r.space.Whispers(user) {
			all = append(all, m.Text)
		}
		r.t.Fatalf("%s was not told %q but %q; refused: %q", user, text, all, r.space.Refused())
	}
}

// sent sends a request to a handler, and gives the status.
func sent(t testing.TB, handler http.Handler, path, body string, header http.Header) int {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	req.Header = header.Clone()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	return w.Code
}

func kubeUser(name string) kube.User { return kube.User{Name: name} }
