package replay

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// TestConfigured: plans are made by the config: they name its receivers, functions and
// Jobs, none of which can be sent anything, and guards go by its numbers. Without a
// config that is said, and what the service protects of its own is known all the same.
func TestConfigured(t *testing.T) {
	at, err := NewCluster(nil, "system:serviceaccount:fb:firebreak", "", nil)
	if err != nil || !at.deps.Unconfigured || at.deps.Receivers != nil || at.deps.Home != "fb" || guard.Home(at.guards) != "fb" {
		t.Errorf("without a config: %+v (%v)", at, err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "job.yaml"), []byte("template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Webhooks: []config.Webhook{{Name: "ops"}}, Dir: dir}
	c.Notify.Receivers = []config.Receiver{{Name: "oncall", Kind: "pagerduty"}}
	c.Functions.Webhooks = []config.FunctionWebhook{{Webhook: config.Webhook{Name: "edge"}}}
	c.Functions.Jobs = []config.FunctionJob{{Name: "collect", Namespace: "jobs", Template: "job.yaml"}}
	c.Respond.Guards, c.Respond.Protected.Namespaces, c.NATS.URL = guard.DefaultLimits(), []string{"vault"}, "tls://nats.bus.svc:4222"
	if at, err = NewCluster(nil, "ann", "", c); err != nil {
		t.Fatal(err)
	}
	d := at.deps
	if d.Unconfigured || len(d.Receivers) != 2 || d.Receivers["oncall"].Kind != "pagerduty" || len(d.Jobs) != 1 || d.Jobs["collect"].Namespace != "jobs" || d.Home != "firebreak" {
		t.Errorf("with a config: %+v", d)
	}
	if g := at.guards; len(g.Namespaces) != 2 || g.Namespaces[1] != "bus" || g.Self != "ann" || at.importance == nil {
		t.Errorf("guards are told %+v", g)
	}
	for name, r := range d.Receivers {
		if r.Notifier != nil {
			t.Errorf("%s can be sent something", name)
		}
	}
	k, _ := action.Lookup("function.webhook")
	act, err := k.New(d, &action.FunctionConfig{Function: "edge"})
	if err != nil {
		t.Fatal(err)
	}
	r := action.Request{Key: "run/call"}
	p, err := act.Plan(t.Context(), r)
	if err != nil || len(p.Notes) != 1 {
		t.Errorf("planned is %+v (%v)", p, err)
	}
	if _, err := act.(interface {
		Do(context.Context, action.Request, event.Plan) (event.Receipt, error)
	}).Do(t.Context(), r, p); !errors.Is(err, action.ErrOffline) {
		t.Errorf("it was called: %v", err)
	}
	c.Functions.Jobs[0].Template = "none.yaml"
	if _, err := NewCluster(nil, "ann", "", c); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a template that is not there: %v", err)
	}
}
