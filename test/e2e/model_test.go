package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// probeModel looks at nothing but what models posts, and is ready soon.
const probeModel = `apiVersion: firebreak.io/v1alpha1
kind: Model
metadata: {name: probe}
spec:
  title: A pod that nobody knows
  severity: low
  source: falco
  when: rule == "e2e probe"
  entity: [object.namespace]
  mode: observe
  features: {pod: surprisal(object.name), user: surprisal(actor.user)}
  warm_up: {events: 300, for: 1s}
  budget: {p: 0.01}
  quiet: 1s
`

// probe posts a Falco alert of the model's.
func (l *loop) probe(n int, pod string) {
	l.t.Helper()
	body := map[string]any{
		"hostname": "node-1", "priority": "Notice", "rule": "e2e probe", "source": "syscall", "time": time.Now().UTC().Format(time.RFC3339Nano),
		"output":        fmt.Sprint("probe ", n),
		"output_fields": map[string]any{"k8s.ns.name": "probes", "k8s.pod.name": pod, "user.name": fmt.Sprint("u", n%3), "evt.num": n},
	}
	if _, err := l.call(l.t.Context(), http.MethodPost, "/v1/falco", l.process.token, body, nil); err != nil {
		l.t.Fatal(err)
	}
}

// models: who may looks at models, gives verdicts and orders, and sees what they
// changed; who may not is refused by the cluster.
func (l *loop) models() {
	t := l.t
	for _, refused := range []struct {
		token string
		args  []string
		says  string
	}{
		{l.token("bob"), []string{"model", "show"}, "bob may not list models.firebreak.io"},
		{l.token("bob"), []string{"model", "show", "probe"}, "bob may not get models.firebreak.io probe"},
		{l.token("bob"), []string{"model", "pin", "probe"}, "bob may not update models.firebreak.io probe"},
		{l.token("alice"), []string{"model", "pin", "api-identity"}, "alice may not update models.firebreak.io api-identity"},
		{"no-such-token", []string{"model", "show", "probe"}, "the cluster does not know this token"},
	} {
		if out, err := l.command(refused.token, refused.args...); err == nil || !strings.Contains(out, refused.says) {
			t.Errorf("%v said %s (%v), want %s", refused.args, out, err, refused.says)
		}
	}
	alice := l.token("alice")
	for n := range 500 {
		l.probe(n, fmt.Sprint("web-", n*n%5))
	}
	state := func(what string, is func(s event.ModelState) bool) (last event.ModelState) {
		t.Helper()
		eventually(t, what, func(context.Context) error {
			var s event.ModelState
			if _, err := l.call(t.Context(), http.MethodGet, "/v1/models/probe", alice, nil, &s); err != nil {
				return err
			}
			if last = s; !is(s) {
				return fmt.Errorf("it is %+v", s)
			}
			return nil
		})
		return last
	}
	state("the model is ready", func(s event.ModelState) bool { return s.Measured >= 500 && s.Ready && s.Anchors > 0 })
	l.probe(500, "odd")
	state("the model has found it", func(s event.ModelState) bool { return s.Waiting > 0 && s.Quarantined > 0 })
	if list := l.must(alice, "model", "show"); !strings.Contains(list, "probe ") || !strings.Contains(list, "api-identity") || !strings.Contains(list, "warming up") {
		t.Errorf("listed\n%s", list)
	}
	found := l.modelFinding(alice)
	if said := l.must(alice, "verdict", found, "false", "--why", "a new pod"); !strings.Contains(said, "stored") {
		t.Errorf("verdict said %s", said)
	}
	state("the verdict has its effect", func(s event.ModelState) bool { return s.Budget.False == 1 && len(s.Said) == 1 })
	if one := l.must(alice, "model", "show", "probe"); !strings.Contains(one, "verdict     false alarm for probes: it needs p") || !strings.Contains(one, "10 stand still") || !strings.Contains(one, "1 false alarms") {
		t.Errorf("shown\n%s", one)
	}
	if told := l.must(alice, "explain", found, "--rules", l.dir+"/models.yaml"); !strings.Contains(told, "probe") || !strings.Contains(told, `pod "odd"`) {
		t.Errorf("explained\n%s", told)
	}
	l.must(alice, "model", "pin", "probe", "--why", "the quarter ends")
	pinned := state("it is pinned", func(s event.ModelState) bool { return s.Pinned })
	for n := range 5 {
		l.probe(501+n, "web-1")
	}
	state("it measures, pinned", func(s event.ModelState) bool { return s.Budget.Scores == pinned.Budget.Scores+5 })
	l.must(alice, "model", "rollback", "probe")
	state("it is what it was when it was pinned", func(s event.ModelState) bool {
		return s.Pinned && s.Budget.Scores == pinned.Budget.Scores && s.Rows == pinned.Rows
	})
	l.must(alice, "model", "unpin", "probe")
	if s := state("it learns again", func(s event.ModelState) bool { return !s.Pinned }); s.Moved == 0 {
		t.Error("it has not moved since it was warm")
	}
	l.must(alice, "model", "approve", "probe")
	state("what it is now is approved", func(s event.ModelState) bool { return s.Moved == 0 && s.Anchors > 0 })
	eventually(t, "its metrics", func(ctx context.Context) error {
		text, err := l.metrics(ctx)
		if err != nil {
			return err
		}
		for _, want := range []string{`firebreak_model_missing{`, `model="probe"`, "firebreak_model_held_total", "firebreak_model_moved", "firebreak_model_quarantined", "firebreak_model_evicted_total"} {
			if !strings.Contains(text, want) {
				return errors.New("without " + want)
			}
		}
		if strings.Contains(text, "odd") {
			t.Error("what an event says stands in the metrics")
		}
		return nil
	})
}

// metrics are the service's, as Prometheus reads them.
func (l *loop) metrics(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.ready+"/metrics", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// modelFinding is the newest finding of the model, as a replay of the stream has
// it.
func (l *loop) modelFinding(token string) (id string) {
	l.t.Helper()
	for line := range strings.Lines(l.must(token, "model", "score", "probe", "--since", "1h", "--rules", l.dir+"/models.yaml", "--output", "ndjson")) {
		var f struct {
			Type, ID string
			Entity   string
		}
		if err := json.Unmarshal([]byte(line), &f); err == nil && f.Type == "finding" {
			id = f.ID
		}
	}
	if id == "" {
		l.t.Fatal("no finding in a replay of the stream")
	}
	return id
}
