package service

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// notify starts what sends messages to people. Every responder does so, active
// or not, with or without a cluster: who has to be told must not wait for either.
func (s *service) notify(ctx context.Context, group *errgroup.Group) (*notify.Outbox, error) {
	receivers, err := s.receivers()
	if err != nil {
		return nil, err
	}
	outbox := notify.NewOutbox(notify.On(s.bus), receivers, nil)
	s.outbox = outbox
	outbox.Cluster, outbox.Link = s.Config.Cluster, s.Config.Notify.Link
	follower := &notify.Follower{Outbox: outbox, Bus: s.bus, Logger: s.logger}
	d := &notify.Deliverer{Outbox: outbox, Metrics: s.tel.Metrics(), Logger: s.logger}
	s.tel.Metrics().WatchLag(telemetry.ConsumerOutbox, func(ctx context.Context) (uint64, error) {
		st, err := s.bus.State(ctx, bus.Outbox)
		return st.Messages, err
	})
	group.Go(func() error { return ended(ctx, d.Run(ctx)) })
	group.Go(func() error { return ended(ctx, follower.Run(ctx)) })
	return outbox, nil
}

// receivers are those of the config, and the cluster's Events.
func (s *service) receivers() (notify.Receivers, error) {
	d := notify.Deps{
		HTTP: telemetry.HTTPClient(telemetry.ClientOptions{}), Dir: s.Config.Dir, Logger: s.logger,
		Inside: func(host string) *http.Client {
			return telemetry.HTTPClient(telemetry.ClientOptions{Inside: []string{host}})
		},
	}
	d.Dial = func(host string, private bool) func(context.Context, string, string) (net.Conn, error) {
		if !private {
			return telemetry.Dialer(nil)
		}
		return telemetry.Dialer([]string{host})
	}
	if s.kube != nil {
		d.Cluster = s.kube
	}
	list := slices.Clone(s.Config.Notify.Receivers)
	for _, w := range s.Config.Webhooks {
		list = append(list, config.Receiver{
			Name: w.Name, Kind: notify.WebhookKind, Decoded: &notify.WebhookConfig{URL: w.URL, Secret: w.Secret, AllowPrivate: w.AllowPrivate},
		})
	}
	all := notify.Receivers{notify.KubernetesEvents: notify.Events(d.Cluster)}
	for _, r := range list {
		kind, ok := notify.Lookup(r.Kind)
		if !ok {
			return nil, fmt.Errorf("receiver %s: no kind %q", r.Name, r.Kind)
		}
		to, err := kind.New(d, r.Decoded)
		if err != nil {
			return nil, fmt.Errorf("receiver %s: %w", r.Name, err)
		}
		all[r.Name] = &notify.Receiver{Name: r.Name, Kind: r.Kind, Notifier: to, Limits: r.Limits()}
	}
	return all, nil
}
