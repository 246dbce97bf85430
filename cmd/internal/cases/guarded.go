package cases

import (
	"context"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// control never holds anything back.
type control struct{}

func (control) Paused(context.Context) (bool, string, error) { return false, "", nil }
func (control) Ceiling(context.Context) (event.Mode, error)  { return event.ModeAct, nil }

// Put takes every message.
func (control) Put(context.Context, notify.Message) error { return nil }

// guards are those of a case. Without limits of its own nothing is counted.
func (c *Case) guards(objects *cluster) (guard.Options, error) {
	o := guard.Options{Control: control{}, Cluster: objects, Self: self}
	if c.Limits.IsZero() {
		return o, nil
	}
	o.Limits = guard.DefaultLimits()
	if err := c.Limits.Decode(&o.Limits); err != nil {
		return o, err
	}
	if err := o.Limits.Check(); err != nil {
		return o, c.Limits.Errorf("%v", err)
	}
	o.Ledger = guard.NewLedger(&store{})
	return o, nil
}

// self is who Firebreak is in a case: the account of its manifests.
const self = "system:serviceaccount:firebreak:firebreak"

// routes lead to oncall, where a playbook leaves it to the config who is paged.
var routes = notify.Routes{{To: []string{"oncall"}}}

// receivers are those that playbooks name, and oncall.
func receivers(books []*respond.Playbook) notify.Receivers {
	all := notify.Receivers{"oncall": {Name: "oncall", Kind: notify.WebhookKind}}
	for _, b := range books {
		for _, s := range b.Steps {
			config, err := s.Config(respond.Env{})
			if err != nil {
				continue
			}
			var names []string
			switch c := config.(type) {
			case *action.WebhookConfig:
				names = []string{c.Webhook}
			case *action.PageConfig:
				names = c.To
			}
			for _, name := range names {
				all[name] = &notify.Receiver{Name: name, Kind: notify.WebhookKind}
			}
		}
	}
	return all
}
