package action

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

func TestFunctionWebhook(t *testing.T) {
	var body []byte
	var header http.Header
	status := http.StatusNoContent
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		header = r.Header
		w.WriteHeader(status)
	}))
	defer server.Close()
	secret := []byte("s3cret")
	d := Deps{Cluster: newFake(), Functions: map[string]Function{"block": {URL: server.URL + "/hidden", Secret: secret, Client: server.Client()}}}
	r := podRequest("run1/s", "web-1", "u1")
	a := build(t, functionWebhook, d, &FunctionConfig{Function: "block", Values: map[string]string{"address": "203.0.113.9"}})
	p, done := must(t, a, r)
	if done.Result != event.ResultSent || string(body) != string(p.Writes[0].Body) || header.Get(notify.KeyHeader) != r.Key {
		t.Error(done, string(body), header)
	}
	if got := header.Get(notify.SignatureHeader); got != notify.Sign(secret, noon.Unix(), body) {
		t.Error(got)
	}
	var told struct {
		Target, Values map[string]string
	}
	if err := json.Unmarshal(body, &told); err != nil || told.Values["address"] != "203.0.113.9" || told.Target["uid"] != "u1" {
		t.Error(told, err)
	}
	status = http.StatusFound
	if _, err := a.Do(t.Context(), r, p); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Error("a redirect is taken for an answer:", err)
	}
	server.Close()
	if _, err := a.Do(t.Context(), r, p); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Error("the URL is told:", err)
	}
	k, _ := Lookup(functionWebhook)
	if _, err := k.New(d, &FunctionConfig{Function: "other"}); err == nil {
		t.Error("an unknown function is taken")
	}
	for _, c := range []*FunctionConfig{{}, {Function: "block", Values: map[string]string{"a b": ""}}, {Function: "block", Values: map[string]string{"a": strings.Repeat("x", maxValue+1)}}} {
		if k.Check(c) == nil {
			t.Errorf("%.60v is taken", c)
		}
	}
}

func jobDeps(f *fake) Deps {
	const spec = `{"ttlSecondsAfterFinished":60,"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i","args":["-x"],"env":[{"name":"A","value":"1"}]},{"name":"d","image":"i"}]}}}`
	return Deps{Cluster: f, Jobs: map[string]JobTemplate{"collect": {Namespace: "jobs", Spec: json.RawMessage(spec)}}}
}

// What comes of events is data: nothing in it is expanded by the kubelet.
func TestFunctionJob(t *testing.T) {
	f := newFake()
	r := podRequest("run1/s", "web-1", "u1")
	a := build(t, functionJob, jobDeps(f), &JobConfig{Job: "collect", Env: map[string]string{"PATH_OF": "/x$(TOKEN)"}, Args: []string{"$(TOKEN); rm -rf /"}})
	p, done := must(t, a, r)
	again, err := a.Plan(t.Context(), r)
	if err != nil || digest(t, again) != digest(t, p) || p.Reversible {
		t.Error(err, p)
	}
	if _, err := a.Do(t.Context(), r, p); err != nil || len(f.landed) != 1 {
		t.Error("again:", err, len(f.landed))
	}
	made, err := f.Get(t.Context(), "batch", "v1", "jobs", "jobs", p.Writes[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	containers := listAt(made.Object, []string{"spec", "template", "spec", "containers"})
	first, second := containers[0].(object), containers[1].(object)
	if d := cmp.Diff([]any{"-x", "$$(TOKEN); rm -rf /"}, first["args"]); d != "" || second["args"] != nil {
		t.Error(d)
	}
	for _, c := range []object{first, second} {
		text := canonical(c["env"])
		for _, want := range []string{`{"name":"PATH_OF","value":"/x$$(TOKEN)"}`, `{"name":"FIREBREAK_UID","value":"u1"}`} {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %s", text, want)
			}
		}
	}
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); !errors.Is(err, ErrIrreversible) {
		t.Error(err)
	}
	k, _ := Lookup(functionJob)
	for _, c := range []*JobConfig{{}, {Job: "collect", Env: map[string]string{"FIREBREAK_UID": "x"}}, {Job: "collect", Env: map[string]string{"a-b": "x"}}, {Job: "collect", Args: make([]string, maxValues+1)}} {
		if k.Check(c) == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
