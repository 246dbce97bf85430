package service

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/drill"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// drill makes the drill of the config; nil where none is held.
func (s *service) drill(deps action.Deps, control guard.Control) (*drill.Drill, error) {
	if s.kube == nil || s.Config.Respond.Drill.Every == 0 {
		return nil, nil
	}
	kind, ok := action.Lookup("pod.quarantine")
	if !ok {
		return nil, fmt.Errorf("drill: there is no action pod.quarantine")
	}
	act, err := kind.New(deps, nil)
	if err != nil {
		return nil, fmt.Errorf("drill: %w", err)
	}
	verify, _ := act.(action.Verifier)
	d := &drill.Drill{
		Config: s.Config.Respond.Drill, Cluster: s.kube, Runs: respond.NewDrills(s.bus), Verify: verify, Control: control,
		Outbox: deps.Outbox, Store: s.bus.Control(), Logger: s.logger,
	}
	s.tel.Metrics().WatchDrill(d.Contains)
	return d, nil
}

// holdDrills holds drills while this responder is the one that acts.
func (s *service) holdDrills(ctx context.Context, group *errgroup.Group, d *drill.Drill, active func() bool) {
	if d == nil {
		return
	}
	d.Active = active
	group.Go(func() error {
		d.Run(ctx)
		return nil
	})
}
