// Package service puts the roles together into one process: telemetry, the
// bus, what listens, and the workers, started in the order in which they need
// one another and stopped in the reverse.
package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/approve/slack"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// Role is a part of the service that can be a process of its own.
type Role string

// The roles.
const (
	Ingest  Role = "ingest"
	Detect  Role = "detect"
	Respond Role = "respond"
)

// Roles lists all roles, which is also the default.
func Roles() []Role { return []Role{Ingest, Detect, Respond} }

// ParseRoles reads a comma-separated list of roles.
func ParseRoles(text string) ([]Role, error) {
	var roles []Role
	for name := range strings.SplitSeq(text, ",") {
		r := Role(strings.TrimSpace(name))
		if !slices.Contains(Roles(), r) {
			return nil, fmt.Errorf("role %q is none of ingest, detect, respond", name)
		}
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	return roles, nil
}

// Options say what this process does.
type Options struct {
	Config  *config.Config
	Roles   []Role
	Version string
	// Log is where the log goes.
	Log io.Writer
}

// service is one running process.
type service struct {
	Options
	tel    *telemetry.Telemetry
	logger *slog.Logger
	bus    *bus.Bus
	// kube is what the responder reads and acts with, reviewer what people are
	// asked about with: a storm of the one must not keep the other waiting.
	// Both are nil without a cluster.
	kube     *kube.Cache
	reviewer *kube.Client
	// watcher is what ingest looks with; like them nil without a cluster.
	watcher *kube.Client
	// app is Firebreak in Slack, nil without it.
	app *slack.App
	// outbox takes messages to people, once the responder is there.
	outbox *notify.Outbox
}

func (s *service) has(r Role) bool { return slices.Contains(s.Roles, r) }

// Run runs the service until ctx ends. It returns what made going on
// impossible, or nil after an orderly stop.
func Run(ctx context.Context, o Options) (err error) {
	s := &service{Options: o}
	if err := s.single(); err != nil {
		return err
	}
	if err := s.setup(ctx); err != nil {
		return err
	}
	// What is stopped must still be able to log, store and send its spans.
	rest := context.WithoutCancel(ctx)
	defer func() { err = errors.Join(err, s.tel.Shutdown(rest)) }()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return keepSmall(ctx) })
	var started atomic.Bool
	s.tel.Health().Add("start", func(context.Context) error {
		if !started.Load() {
			return errors.New("not all is started yet")
		}
		return nil
	})
	// Whoever asks how we are is told while the store is waited for.
	if err := s.health(ctx, group); err != nil {
		return errors.Join(err, s.stop(group))
	}
	if err := s.open(ctx); err != nil {
		return errors.Join(ended(ctx, err), s.stop(group))
	}
	defer func() { err = errors.Join(err, s.bus.Close()) }()
	for _, start := range []func(context.Context, *errgroup.Group) error{s.ingest, s.detect, s.respond} {
		if err := start(ctx, group); err != nil {
			return errors.Join(err, s.stop(group))
		}
	}
	started.Store(true)
	s.logger.Info("started", "version", o.Version, "roles", o.Roles, "address", o.Config.Listen.Address)
	if err = group.Wait(); err != nil {
		s.logger.Error("stopped", "error", err)
		return err
	}
	s.logger.Info("stopped")
	return nil
}

// single refuses a split into processes that share nothing.
func (s *service) single() error {
	if s.Config.NATS.URL == "" && len(s.Roles) != len(Roles()) {
		return errors.New("some roles alone need an external NATS (nats.url): the embedded one is reached by this process only")
	}
	return nil
}

func (s *service) setup(ctx context.Context) (err error) {
	var actions []string
	for _, k := range action.Kinds() {
		actions = append(actions, k.Name)
	}
	t := s.Config.Telemetry
	s.tel, err = telemetry.Setup(ctx, telemetry.Options{
		Service: "firebreak", Version: s.Version, OTLPEndpoint: t.OTLP,
		LogLevel: t.Log.Level, LogFormat: t.Log.Format, LogWriter: s.Log, Actions: actions,
	})
	if err != nil {
		return err
	}
	s.logger = s.tel.Logger()
	return nil
}

func (s *service) open(ctx context.Context) (err error) {
	c := s.Config
	if err := s.connect(); err != nil {
		return fmt.Errorf("reach the cluster: %w (kubernetes.kubeconfig names its file; without a cluster set kubernetes.disabled: true)", err)
	}
	n := c.NATS
	s.bus, err = bus.Open(ctx, bus.Options{
		Dir: c.Path(c.Data), URL: n.URL, Credentials: c.Path(n.Credentials.Path), CA: c.Path(n.CA), Cert: c.Path(n.Cert),
		Key: c.Path(n.Key), Replicas: n.Replicas, Patient: true, MaxEventBytes: n.MaxBytes, EventAge: n.MaxAge.Std(), Logger: s.logger,
	})
	if err != nil {
		return err
	}
	s.tel.Health().Add("store", s.bus.Healthy)
	return nil
}

// connect makes the clients of the cluster.
func (s *service) connect() error {
	k := s.Config.Kubernetes
	if k.Disabled {
		return nil
	}
	o := kube.Options{
		Kubeconfig: s.Config.Path(k.Kubeconfig), Context: k.Context, QPS: k.QPS, Burst: k.Burst, UserAgent: "firebreak/" + s.Version,
	}
	client, err := kube.New(o)
	if err != nil {
		return err
	}
	s.kube = kube.NewCache(client)
	if s.reviewer, err = kube.New(o); err != nil {
		return err
	}
	s.watcher, err = kube.New(o)
	return err
}

// stop waits for what was started before something failed to start.
func (s *service) stop(group *errgroup.Group) error {
	group.Go(func() error { return errStop })
	if err := group.Wait(); !errors.Is(err, errStop) {
		return err
	}
	return nil
}

var errStop = errors.New("stop")
