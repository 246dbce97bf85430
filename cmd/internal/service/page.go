package service

import (
	"context"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/cmd/internal/page"
	"github.com/firebreak-io/firebreak/internal/console"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// page serves the page in every responder: it only reads and stores, so that it
// does not matter which of them is active.
func (s *service) page(ctx context.Context, group *errgroup.Group, mux *http.ServeMux) error {
	if s.Config.Console.Disabled {
		return nil
	}
	desk := approve.Desk{Bus: s.bus, Log: runlog.New(s.bus, 0), Incidents: incident.NewList(s.bus), Control: s.control(), Logger: s.logger}
	house := page.House{Trust: s.Config.Respond.Trust, Limits: s.Config.Respond.Guards.Budgets, Metrics: s.tel.Metrics()}
	// Ones that can't be read keep the responder from starting, which says why.
	house.Books, _ = files.Playbooks(s.paths(s.Config.Playbooks), !s.Config.NoShipped)
	options := console.Options{Bus: s.bus, Cluster: s.Config.Cluster, Version: s.Version, Logger: s.logger}
	if s.reviewer != nil {
		// People are asked about, and policies read, by a client that no storm of
		// effects keeps waiting.
		desk.Authority, options.Reviewer, house.Cluster = s.reviewer, s.reviewer, s.reviewer
	}
	house.Desk = desk
	options.House = house
	c, err := console.New(options)
	if err != nil {
		return err
	}
	mux.Handle(console.Root, c.Handler())
	mux.Handle("GET /{$}", http.RedirectHandler(console.Root, http.StatusSeeOther))
	group.Go(func() error { return ended(ctx, c.Run(ctx)) })
	return nil
}
