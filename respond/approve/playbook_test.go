package approve

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// TestTrustByHand: who may gives a playbook another mode, and to act it must
// have been watched, or somebody says why not.
func TestTrustByHand(t *testing.T) {
	r := newRig(t)
	control := respond.NewControl(r.bus, event.ModeAct)
	book := &respond.Playbook{Name: "contain", Version: "v1", Mode: event.ModeObserve}
	r.api = (&API{
		Reviewer: r.cluster, Bus: r.bus, Log: r.log, Incidents: incident.NewList(r.bus), Control: control, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return r.now }, Books: []*respond.Playbook{book},
	}).Handler()
	for _, right := range []string{"ann list playbooks/", "pat update playbooks/contain", "pat update playbooks/none"} {
		r.cluster.may[right] = true
	}
	say := func(token, method, path, body string, status int, want string) {
		t.Helper()
		if got, text := r.call(method, path, token, body); got != status || !strings.Contains(text, want) {
			t.Fatalf("%s %s answered %d %s; want %d %s", path, body, got, text, status, want)
		}
	}
	const mode = "/v1/playbooks/contain/mode"
	say("token-ann", "GET", "/v1/playbooks", "", 200, `"playbook":"contain","version":"v1","own":"observe","mode":"observe"`)
	say("token-bob", "GET", "/v1/playbooks", "", 403, "list playbooks")
	say("token-ann", "POST", mode, `{"mode":"ask"}`, 403, "update playbooks")
	say("token-pat", "POST", mode, `{"mode":"all"}`, 400, "mode is")
	say("token-pat", "POST", "/v1/playbooks/none/mode", `{"mode":"ask"}`, 404, "no such playbook")
	say("token-pat", "POST", mode, `{"mode":"act"}`, 409, "it had no run yet")
	say("token-pat", "POST", mode, `{"mode":"ask","reason":"looks good"}`, 200, `"mode":"ask"`)
	_, err := r.log.Create(t.Context(), event.Run{ID: event.HashID("w"), Playbook: "contain", Version: "v1", State: event.RunObserved, Created: r.now.Add(-24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	say("token-pat", "POST", mode, `{"mode":"act"}`, 409, "watched for 24h0m0s of 168h0m0s")
	say("token-pat", "POST", mode, `{"mode":"act","override":true,"reason":"drill"}`, 200, `"by":"pat","reason":"drill"`)
	say("token-ann", "GET", "/v1/playbooks", "", 200, `"mode":"act"`)
	book.Version = "v2"
	say("token-ann", "GET", "/v1/playbooks", "", 200, `"mode":"observe","runs":0`)
}

// TestUnreadableIsNotCounted: an incident whose record can't be read hides nothing
// of how playbooks do; the answer names it.
func TestUnreadableIsNotCounted(t *testing.T) {
	r := newRig(t)
	r.api = (&API{
		Reviewer: r.cluster, Bus: r.bus, Log: r.log, Incidents: incident.NewList(r.bus), Control: respond.NewControl(r.bus, event.ModeAct),
		Logger: slog.New(slog.DiscardHandler), Books: []*respond.Playbook{{Name: "contain", Version: "v1", Mode: event.ModeObserve}},
	}).Handler()
	r.cluster.may["ann list playbooks/"] = true
	known, broken := event.HashID("known"), event.HashID("broken")
	for id, text := range map[string]string{known: `{"id":"` + known + `","state":"resolved","verdict":"true"}`, broken: "{"} {
		if _, err := r.bus.Append(t.Context(), bus.SubjectIncident(id), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	run := event.Run{ID: event.HashID("of known"), Playbook: "contain", Version: "v1", State: event.RunClosed, Incident: event.Incident{ID: known}}
	if _, err := r.log.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/playbooks", nil)
	req.Header.Set("Authorization", "Bearer token-ann")
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, req)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"right":1`) {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if said := w.Header().Values(UnreadableHeader); len(said) != 1 || !strings.Contains(said[0], bus.SubjectIncident(broken)) {
		t.Errorf("named are %q", said)
	}
	if status, body := r.call(http.MethodGet, "/v1/incidents/"+broken, "token-ann", ""); status != http.StatusOK || !strings.Contains(body, "can't be read") {
		t.Errorf("the incident: status %d: %s", status, body)
	}
}
