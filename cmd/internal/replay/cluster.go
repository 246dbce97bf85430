package replay

import (
	"cmp"
	"context"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// Cluster is one that plans are made in: what is written there is dry run.
type Cluster struct {
	kube       *kube.Cache
	guards     guard.Options
	deps       action.Deps
	importance func(event.Ref) event.Importance
}

// NewCluster makes plans in a cluster as the service would that runs as a user of it,
// in a namespace (empty is the user's own, or else firebreak's), with a config: by its
// guards' numbers, what it protects, its receivers, routes, functions and Jobs. None
// of them is sent anything. Without a config steps are planned as they say.
func NewCluster(k *kube.Cache, self, namespace string, c *config.Config) (*Cluster, error) {
	at := &Cluster{kube: k}
	if c == nil {
		at.deps.Unconfigured = true
	} else if err := at.configure(c); err != nil {
		return nil, err
	}
	at.guards.Self, at.guards.Namespace = self, namespace
	at.guards.Namespace = cmp.Or(guard.Home(at.guards), "firebreak")
	at.deps.Home = at.guards.Namespace
	return at, nil
}

func (at *Cluster) configure(c *config.Config) (err error) {
	at.guards, at.importance = c.Guarded(), c.Respond.Importance
	d := &at.deps
	d.Receivers, d.Routes, d.Functions = notify.Receivers{}, c.Notify.Routes, map[string]action.Function{}
	for _, w := range c.Webhooks {
		d.Receivers[w.Name] = &notify.Receiver{Name: w.Name, Kind: notify.WebhookKind}
	}
	for _, r := range c.Notify.Receivers {
		d.Receivers[r.Name] = &notify.Receiver{Name: r.Name, Kind: r.Kind}
	}
	for _, f := range c.Functions.Webhooks {
		d.Functions[f.Name] = action.Function{} // without a client it can't be called
	}
	d.Jobs, err = c.JobTemplates()
	return err
}

// executor makes plans there, and nothing else.
func (at *Cluster) executor(o Options) *respond.Executor {
	guards, deps := at.guards, at.deps
	guards.Control, guards.Cluster = control{o.Ceiling}, kube.Recent{Cache: at.kube}
	deps.Cluster, deps.Logger = readOnly{kube.Recent{Cache: at.kube}}, o.Logger
	return &respond.Executor{Deps: deps, Guards: guard.New(guards), Preview: at.kube}
}

// readOnly is a cluster that is only read.
type readOnly struct{ kube.Recent }

// Apply always gives [action.ErrOffline].
func (readOnly) Apply(context.Context, event.Write, kube.ApplyOptions) (string, string, error) {
	return "", "", action.ErrOffline
}
