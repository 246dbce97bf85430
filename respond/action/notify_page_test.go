package action

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

func paging(b *box) Deps {
	ten := conf.Duration(10 * time.Minute)
	return Deps{
		Cluster: newFake(), Outbox: b, // which knows no namespaces
		Receivers: notify.Receivers{"oncall": {Kind: "pagerduty"}, "lead": {Kind: "email"}, "events": {Kind: notify.KubernetesEvents}},
		Routes: notify.Routes{
			{Namespaces: map[string]string{"team": "pay"}, Priority: event.SeverityCritical, To: []string{"oncall"}, Escalate: []notify.Step{{After: ten, To: []string{"lead"}}}},
		},
	}
}

// A page goes to those of the routes, later ones unless somebody answers, each
// under a key of its own; what can't be known of a namespace keeps nobody from
// being told.
func TestPage(t *testing.T) {
	b := &box{}
	w := build(t, notifyPage, paging(b), &PageConfig{Note: "look at ${x}"})
	r := webhookRun()
	p, err := w.Plan(t.Context(), r)
	if err != nil || p.Summary != "page oncall, lead (if nobody answers for 10m0s)" || len(p.Writes) != 2 || len(p.Notes) == 0 {
		t.Fatalf("%+v, %v", p, err)
	}
	for range 2 {
		if done, err := w.Do(t.Context(), r, p); err != nil || done.Result != event.ResultQueued {
			t.Fatal(done, err)
		}
	}
	if len(b.list) != 4 {
		t.Fatalf("%+v", b.list)
	}
	now, later := b.list[0], b.list[1]
	if now.Receiver != "oncall" || now.Key != "run1/tell" || now.Escalation || len(now.Body) > 0 || !strings.HasPrefix(now.Notice.Text, "look at ${x}") {
		t.Errorf("%+v", now)
	}
	if later.Receiver != "lead" || later.Key == now.Key || !later.Escalation || !later.NotBefore.Equal(r.Now.Add(10*time.Minute)) || later.Step != "tell" {
		t.Errorf("%+v", later)
	}
	r.Run.Incident.Priority = event.SeverityLow
	p, err = w.Plan(t.Context(), r)
	if err != nil || p.Summary != "page nobody" || len(p.Writes) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if done, err := w.Do(t.Context(), r, p); err != nil || done.Result != event.ResultNothing || len(b.list) != 4 {
		t.Error(done, err)
	}
	p.Writes = []event.Write{{Verb: "patch", Name: "x", UID: r.Target.UID}}
	if _, err := w.Do(t.Context(), r, p); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

func TestPageConfig(t *testing.T) {
	k, _ := Lookup(notifyPage)
	none := paging(nil)
	none.Routes = nil
	for _, c := range []struct {
		d    Deps
		to   []string
		good bool
	}{
		{paging(nil), nil, true}, {none, nil, false}, {none, []string{"lead"}, true}, {none, []string{"unknown"}, false},
		{none, []string{"events"}, false}, {none, []string{"a.b"}, false}, {Deps{Offline: true}, []string{"unknown"}, true}, {Deps{Offline: true}, nil, true},
	} {
		if _, err := k.New(c.d, &PageConfig{To: c.to}); (err == nil) != c.good {
			t.Errorf("%v: %v", c.to, err)
		}
	}
}

// TestUnconfigured: without the operator's config, as in a replay, what would be
// told is planned as the step says it, with a note; nobody is told.
func TestUnconfigured(t *testing.T) {
	d := Deps{Cluster: Offline{}, Unconfigured: true}
	for kind, config := range map[string]any{
		notifyPage: &PageConfig{To: []string{"oncall"}}, notifyWebhook: &WebhookConfig{Webhook: "oncall"}, "routes": &PageConfig{},
		functionWebhook: &FunctionConfig{Function: "oncall"}, functionJob: &JobConfig{Job: "oncall"},
	} {
		name := kind
		if kind == "routes" {
			name = notifyPage
		}
		k, _ := Lookup(name)
		act, err := k.New(d, config)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		p, err := act.Plan(t.Context(), Request{Key: "run1/tell"})
		if err != nil || !slices.Contains(p.Notes, noteUnconfigured) && !slices.Contains(p.Notes, noteNoFunctions) || kind != "routes" && !strings.Contains(p.Summary, "oncall") || strings.Contains(p.Summary, "nobody") {
			t.Errorf("%s: planned %q %q (%v)", kind, p.Summary, p.Notes, err)
		}
		if _, err := act.(interface {
			Do(context.Context, Request, event.Plan) (event.Receipt, error)
		}).Do(t.Context(), Request{Key: "run1/tell"}, p); err == nil && (len(p.Writes) > 0 || kind == functionJob) {
			t.Errorf("%s: it was sent", kind)
		}
	}
}
