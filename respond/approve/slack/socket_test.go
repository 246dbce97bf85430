package slack

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/workspace"
)

// TestSocketMode: over Socket Mode what is pressed is stored before it is
// acknowledged, forms and commands are answered, and a connection that ends is
// made anew.
func TestSocketMode(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	go func() { _ = r.app.Listen(t.Context()) }()
	connected := func() {
		t.Helper()
		if !r.space.Wait(4*time.Minute, func() bool { return r.space.Connected() > 0 }) {
			t.Fatalf("nobody connected; refused: %q", r.space.Refused())
		}
	}
	press := func(user string, deed Deed) []byte {
		return workspace.Press{User: user, Channel: channel, Action: string(deed), Value: r.value(run, deed), At: r.clock()}.Payload()
	}
	connected()
	if _, err := r.space.Envelope("interactive", press("U0ANN", DeedApprove), 4*time.Minute); err != nil {
		t.Fatal(err)
	}
	if list := r.inputs(run.ID); len(list) != 1 || list[0].User != "ann" {
		t.Fatalf("acknowledged, and stored: %+v", list)
	}
	r.space.HangUp()
	connected()
	if _, err := r.space.Envelope("interactive", press("U0BOB", DeedDeny), 4*time.Minute); err != nil {
		t.Fatal(err)
	}
	if list := r.inputs(run.ID); len(list) != 2 || list[1].User != "bob" {
		t.Fatalf("after a new connection stored: %+v", list)
	}
	answer, err := r.space.Envelope("slash_commands", []byte(`{"team_id":"T0001","user_id":"U0ANN","channel_id":"`+channel+`","text":"","trigger_id":"t0"}`), 4*time.Minute)
	if err != nil || !strings.Contains(answer, "1 decision to be made") || !strings.Contains(answer, "ephemeral") {
		t.Errorf("answer %.300s, %v", answer, err)
	}
	if _, err := r.space.Envelope("events_api", []byte(`{"type":"event_callback","team_id":"T0001","event":{"type":"app_home_opened","user":"U0ANN","tab":"home"}}`), 4*time.Minute); err != nil {
		t.Fatal(err)
	}
	if !r.space.Wait(4*time.Minute, func() bool { return len(r.space.Views()) == 1 }) {
		t.Fatalf("no home; refused: %q", r.space.Refused())
	}
	if home := fmt.Sprint(r.space.Views()[0].Body); !strings.Contains(home, "container-escape") || !strings.Contains(home, "Pause") {
		t.Errorf("home %.500s", home)
	}
}

// TestRedeliveredCommand: a command that Slack delivers again, whichever way, is
// not carried out again: a pause does not come back after somebody ended it.
func TestRedeliveredCommand(t *testing.T) {
	r := newRig(t)
	go func() { _ = r.app.Listen(t.Context()) }()
	if !r.space.Wait(4*time.Minute, func() bool { return r.space.Connected() > 0 }) {
		t.Fatalf("nobody connected; refused: %q", r.space.Refused())
	}
	paused := func() bool {
		t.Helper()
		p, err := r.app.clerk.desk.Control.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return p.By != ""
	}
	pause := func(trigger string) {
		t.Helper()
		payload := fmt.Sprintf(`{"team_id":"T0001","user_id":"U0ANN","channel_id":%q,"text":"pause odd","trigger_id":%q}`, channel, trigger)
		if _, err := r.space.Envelope("slash_commands", []byte(payload), 4*time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	pause("t1")
	if !paused() {
		t.Fatal("it is not paused")
	}
	for _, who := range []string{"ann", "bob"} {
		if err := r.app.clerk.desk.Resume(t.Context(), kubeUser(who)); err != nil {
			t.Fatal(err)
		}
	}
	pause("t1")
	body := url.Values{"team_id": {"T0001"}, "user_id": {"U0ANN"}, "channel_id": {channel}, "command": {"/firebreak"}, "text": {"pause odd"}, "trigger_id": {"t1"}}.Encode()
	if status := sent(t, r.handler, "/slack/commands", body, workspace.Sign(workspace.Secret, body, r.clock())); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if paused() {
		t.Error("what was delivered again paused again")
	}
	if pause("t2"); !paused() {
		t.Error("another command is not carried out")
	}
	none := url.Values{"team_id": {"T0001"}, "user_id": {"U0ANN"}, "text": {"pause x"}}.Encode()
	if status := sent(t, r.handler, "/slack/commands", none, workspace.Sign(workspace.Secret, none, r.clock())); status != http.StatusBadRequest {
		t.Errorf("without a trigger: status %d", status)
	}
}

// TestNotStoredIsNotAcknowledged: what could not be stored is not acknowledged,
// so that Slack shows that it failed; the person is told.
func TestNotStoredIsNotAcknowledged(t *testing.T) {
	r := newRig(t)
	run := r.waiting("web-1")
	go func() { _ = r.app.Listen(t.Context()) }()
	if !r.space.Wait(4*time.Minute, func() bool { return r.space.Connected() > 0 }) {
		t.Fatalf("nobody connected; refused: %q", r.space.Refused())
	}
	value := r.value(run, DeedApprove)
	if err := r.bus.Close(); err != nil {
		t.Fatal(err)
	}
	payload := workspace.Press{User: "U0ANN", Channel: channel, Action: "approve", Value: value, At: r.clock()}.Payload()
	if answer, err := r.space.Envelope("interactive", payload, 3*time.Second); err == nil {
		t.Errorf("acknowledged with %q", answer)
	}
	r.told("U0ANN", "please click again")
	if got := r.press("U0ANN", value); got != http.StatusInternalServerError {
		t.Errorf("status %d over HTTP", got)
	}
}

// TestCommands: /firebreak shows how things stand to who may see it, and does
// what it says for who may.
func TestCommands(t *testing.T) {
	r := newRig(t)
	r.waiting("web-1")
	until := r.clock().Add(time.Hour)
	r.waiting("web-2", func(n *event.Run) {
		n.State, n.Approval = event.RunHolding, nil
		n.Steps[0].State, n.Steps[0].Until = event.StepDone, &until
	})
	command := func(user, text string) string {
		t.Helper()
		body := url.Values{"team_id": {"T0001"}, "user_id": {user}, "channel_id": {channel}, "command": {"/firebreak"}, "text": {text}, "trigger_id": {rand.Text()}}.Encode()
		status, answer, _, err := workspace.Send(r.http.Client(), r.http.URL+"/slack/commands", body, workspace.Sign(workspace.Secret, body, r.clock()))
		if err != nil || status != http.StatusOK {
			t.Fatalf("status %d, %v", status, err)
		}
		return answer
	}
	for _, c := range []struct{ user, text, want string }{
		{"U0ANN", "", "2 open incidents"}, {"U0ANN", "", "isolate holds pods/shop/web-2"}, {"U0EVE", "", "eve may not list incidents"},
		{"U0ANY", "", "not among the people"}, {"U0ANN", "dance", "shows how things stand"}, {"U0EVE", "pause x", "eve may not create pauses"},
		{"U0ANN", "pause looks <wrong>", "Paused"}, {"U0ANN", "", "paused by ann: looks \\u0026lt;wrong"}, {"U0ANN", "resume", "1 of 2"}, {"U0BOB", "resume", "Resumed"},
	} {
		if got := command(c.user, c.text); !strings.Contains(got, c.want) {
			t.Errorf("%s: /firebreak %s: %.600s, want %q", c.user, c.text, got, c.want)
		}
	}
	status, answer, _, err := workspace.Send(r.http.Client(), r.http.URL+"/slack/events", `{"type":"url_verification","challenge":"abc"}`,
		workspace.Sign(workspace.Secret, `{"type":"url_verification","challenge":"abc"}`, r.clock()))
	if err != nil || status != http.StatusOK || !strings.Contains(answer, "abc") {
		t.Errorf("challenge: %d %q %v", status, answer, err)
	}
}

// TestConfig: what is wrong in the config is named with its key.
func TestConfig(t *testing.T) {
	good := func() Config {
		return Config{Teams: []string{"T1"}, Channel: "C1", AppToken: (&rig{t: t, dir: t.TempDir()}).secret("a", "b"), People: []Person{{Slack: "T1/U1", User: "ann"}}}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		`teams[0]: "shop" is no id`:            func(c *Config) { c.Teams[0] = "shop" },
		`channel: "#sec" is no id`:             func(c *Config) { c.Channel = "#sec" },
		`routes[0].channel`:                    func(c *Config) { c.Routes = []Route{{Channel: "x"}} },
		`app_token: one of`:                    func(c *Config) { c.AppToken.Path = "" },
		`people[0].slack: "U1" is not`:         func(c *Config) { c.People[0].Slack = "U1" },
		`people[1].slack: T1/U1 is there twic`: func(c *Config) { c.People = append(c.People, c.People[0]) },
		`people[0].user: "system:admin"`:       func(c *Config) { c.People[0].User = "system:admin" },
		`people[0]: neither a user`:            func(c *Config) { c.People[0].User = "" },
		`people[0].groups[0]: "system:masters`: func(c *Config) { c.People[0].Groups = []string{"system:masters"} },
		`rights[0].verbs[0]: "rule"`:           func(c *Config) { c.Rights = []Right{{Group: "g", Verbs: []string{"rule"}}} },
	} {
		c := good()
		change(&c)
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
