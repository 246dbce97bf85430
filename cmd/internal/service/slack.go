package service

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/approve/slack"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/notify"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// chat is Firebreak in Slack, nil without it.
func (s *service) chat() (*slack.App, error) {
	if s.Config.Slack == nil || s.app != nil {
		return s.app, nil
	}
	desk := approve.Desk{Bus: s.bus, Log: runlog.New(s.bus, 0), Incidents: incident.NewList(s.bus), Control: s.control(), Logger: s.logger}
	if s.reviewer != nil {
		desk.Authority = s.reviewer
	}
	config := *s.Config.Slack
	config.Console = s.Config.Console.Incident("")
	app, err := slack.New(slack.Options{
		Config: config, Dir: s.Config.Dir, Desk: desk, HTTP: SlackClient(*s.Config.Slack), Logger: s.logger,
		Dial: telemetry.Dialer(slackInside(*s.Config.Slack)), Working: s.slackWorks,
	})
	if err == nil {
		s.tel.Health().AddNote("slack", app.Board().Ready)
	}
	s.app = app
	return app, err
}

// SlackClient is how Slack is reached. One that the config names can be inside,
// as a proxy or a test is.
func SlackClient(c slack.Config) *http.Client {
	return telemetry.HTTPClient(telemetry.ClientOptions{Inside: slackInside(c), MaxResponse: 4 << 20})
}

// slackInside are the hosts of Slack that can be in a private network.
func slackInside(c slack.Config) []string {
	if u, err := url.Parse(c.API); err == nil && c.API != "" {
		return []string{u.Hostname()}
	}
	return nil
}

// slackWorks says whether Slack can be used: by the metric, and where only people
// can mend it by a page, once a day.
func (s *service) slackWorks(ctx context.Context, err error) {
	s.tel.Metrics().SlackWorks(err == nil)
	if !slack.Revoked(err) || s.outbox == nil {
		return
	}
	day := time.Now().UTC().Format(time.DateOnly)
	for _, p := range s.Config.Notify.Routes.For(event.SeverityCritical, map[string]string{}, time.Now()) {
		m := notify.Message{
			Receiver: p.Receiver, Key: "slack-refuses/" + day, Op: notify.Trigger,
			Notice: notify.Notice{Title: "Slack refuses Firebreak: nobody can see or decide there", Text: err.Error() + "; firebreak slack check says more", Severity: event.SeverityCritical},
		}
		if p.After > 0 {
			continue // nobody can answer it
		}
		if err := s.outbox.Put(ctx, m); err != nil && ctx.Err() == nil {
			s.logger.ErrorContext(ctx, "nobody is paged about Slack", "receiver", p.Receiver, "error", err)
		}
	}
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
