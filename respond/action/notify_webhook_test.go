package action

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

func webhookRun() Request {
	r := podRequest("run1/tell", "web-1", "u1")
	r.Run = event.Run{
		ID: "run1", Playbook: "contain", Created: noon, State: event.RunRunning, Mode: event.ModeAct,
		Finding: event.Finding{ID: "f1", Title: strings.Repeat("x", 5000) + "\xff", Rule: "shell"},
		Steps:   make([]event.Step, 500),
	}
	r.Run.Steps[0] = event.Step{Name: "isolate", Action: podQuarantine, State: event.StepDone, Receipt: &event.Receipt{Result: event.ResultPartial}}
	return r
}

func TestWebhook(t *testing.T) {
	var status int
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	defer server.Close()
	d := Deps{
		PrivateHTTP: server.Client(),
		Webhooks:    map[string]Webhook{"ops": {URL: server.URL + "/secret-path", Secret: []byte("s3cret"), AllowPrivate: true}},
	}
	w := build(t, notifyWebhook, d, &WebhookConfig{Webhook: "ops"})
	r := webhookRun()
	p, err := w.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(p.Writes[0].Body)+p.Summary, "secret-path") {
		t.Error("the plan shows the URL")
	}
	status = 204
	done, err := w.Do(t.Context(), r, p)
	if err != nil || done.Result != event.ResultSent {
		t.Fatal(done, err)
	}
	if got.Header.Get(KeyHeader) != "run1/tell" || got.Header.Get(SignatureHeader) != sign([]byte("s3cret"), noon.Unix(), body) {
		t.Error(got.Header)
	}
	var said Payload
	if err := json.Unmarshal(body, &said); err != nil {
		t.Fatal(err)
	}
	if said.Run != "run1" || len(said.Steps) != maxSteps || said.Steps[0].Result != event.ResultPartial || len(said.Finding.Title) > maxText {
		t.Errorf("%+v", said)
	}
	for _, status = range []int{302, 404, 500} {
		if _, err := w.Do(t.Context(), r, p); err == nil {
			t.Errorf("%d is no error", status)
		}
	}
	server.Close()
	if _, err := w.Do(t.Context(), r, p); err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Error(err)
	}
	if _, err := w.Undo(t.Context(), r, done, ""); !errors.Is(err, ErrIrreversible) {
		t.Error(err)
	}
}

func TestWebhookConfig(t *testing.T) {
	k, _ := Lookup(notifyWebhook)
	d := Deps{Webhooks: map[string]Webhook{"ok": {URL: "https://x.example/"}, "file": {URL: "file:///etc/passwd"}, "none": {}}}
	for name, good := range map[string]bool{"ok": true, "file": false, "none": false, "unknown": false, "": false} {
		if _, err := k.New(d, &WebhookConfig{Webhook: name}); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
	if got := sign([]byte("k"), 1, []byte("b")); got != "t=1,v1=2946e37a45bb02a0bf1bf1a7d9219543801fedd301f9f485aebd72c928639bea" {
		t.Error(got)
	}
}
