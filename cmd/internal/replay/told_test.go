package replay

import (
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/respond/action"
)

// TestTold: plans name the receivers of the config, none of which can be sent
// anything; without a config that is said.
func TestTold(t *testing.T) {
	var d action.Deps
	(&Cluster{}).told(&d)
	if !d.Unconfigured || d.Receivers != nil {
		t.Errorf("without a config: %+v", d)
	}
	d = action.Deps{}
	c := &config.Config{Webhooks: []config.Webhook{{Name: "ops"}}}
	c.Notify.Receivers = []config.Receiver{{Name: "oncall", Kind: "pagerduty"}}
	(&Cluster{Config: c}).told(&d)
	if d.Unconfigured || len(d.Receivers) != 2 || d.Receivers["oncall"].Kind != "pagerduty" {
		t.Errorf("with a config: %+v", d)
	}
	for name, r := range d.Receivers {
		if r.Notifier != nil {
			t.Errorf("%s can be sent something", name)
		}
	}
}
