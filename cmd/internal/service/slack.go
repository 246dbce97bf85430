package service

import (
	"context"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/approve/slack"
)

// chat is Firebreak in Slack, nil without it.
func (s *service) chat() (*slack.App, error) {
	if s.Config.Slack == nil || s.app != nil {
		return s.app, nil
	}
	desk := approve.Desk{Bus: s.bus, Log: respond.NewRunLog(s.bus, 0), Control: s.control(), Logger: s.logger}
	if s.reviewer != nil {
		desk.Authority = s.reviewer
	}
	config := *s.Config.Slack
	config.Console = s.Config.Console.Incident("")
	app, err := slack.New(slack.Options{
		Config: config, Dir: s.Config.Dir, Desk: desk, HTTP: SlackClient(*s.Config.Slack), Logger: s.logger,
	})
	s.app = app
	return app, err
}

// SlackClient is how Slack is reached. One that the config names can be inside,
// as a proxy or a test is.
func SlackClient(c slack.Config) *http.Client {
	var inside []string
	if u, err := url.Parse(c.API); err == nil && c.API != "" {
		inside = append(inside, u.Hostname())
	}
	return telemetry.HTTPClient(telemetry.ClientOptions{Inside: inside, MaxResponse: 4 << 20})
}

// clicks takes what people do in Slack, in every responder: who is active does
// not matter for what is only stored.
func (s *service) clicks(ctx context.Context, group *errgroup.Group, mux *http.ServeMux) error {
	app, err := s.chat()
	if app == nil || err != nil {
		return err
	}
	mux.Handle("/slack/", app.Handler(ctx))
	group.Go(func() error { return app.Listen(ctx) })
	return nil
}

// beside is what runs in the active responder alone.
func (s *service) beside() []func(context.Context) error {
	if s.app == nil {
		return nil
	}
	return []func(context.Context) error{s.app.Board().Run}
}
