package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/ingest/backlog"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

func (s *service) health(ctx context.Context, group *errgroup.Group) error {
	return serve(ctx, group, s.logger, s.Config.Listen.Health, nil, s.tel.Handler())
}

// ingest takes events in, and serves what people say beside it.
func (s *service) ingest(ctx context.Context, group *errgroup.Group) error {
	mux := http.NewServeMux()
	if s.has(Ingest) {
		handler, err := s.sources(ctx, group)
		if err != nil {
			return err
		}
		mux.Handle("/", handler)
	}
	if s.has(Respond) {
		api, err := s.api(ctx)
		if err != nil {
			return err
		}
		for _, path := range approve.Paths() {
			mux.Handle(path, api)
		}
		if err := s.clicks(ctx, group, mux); err != nil {
			return err
		}
		if err := s.page(ctx, group, mux); err != nil {
			return err
		}
	}
	secure, err := newSecure(s.Config, s.logger)
	if err != nil {
		return err
	}
	return serve(ctx, group, s.logger, s.Config.Listen.Address, secure, mux)
}

// sources opens the sources of the config, and starts what they run.
func (s *service) sources(ctx context.Context, group *errgroup.Group) (http.Handler, error) {
	if err := s.seeing(); err != nil {
		return nil, err
	}
	batcher := ingest.NewBatcher(s.bus, 0)
	// The batcher ends after the sources, which store what they hold at last.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	group.Go(func() error { return batcher.Run(life) })
	var running sync.WaitGroup
	defer group.Go(func() error {
		<-ctx.Done()
		running.Wait()
		stop()
		return nil
	})
	behind := s.backlog(batcher)
	group.Go(func() error { return behind.Run(ctx) })
	d := ingest.Deps{
		Sink: batcher, Store: s.bus, Metrics: s.tel.Metrics(), Logger: s.logger, Telemetry: s.tel, Cluster: s.Config.Cluster,
		Dir: s.Config.Dir, Data: s.Config.Path(s.Config.Data),
	}
	if s.Config.NATS.URL != "" {
		d.Subscriber = s.bus
	}
	s.look(ctx, group, &d)
	var endpoints []ingest.Endpoint
	for _, name := range slices.Sorted(maps.Keys(s.Config.Decoded)) {
		own := d
		own.Sink = behind.For(name)
		source, err := ingest.Open(name, own, s.Config.Decoded[name])
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, source.Endpoints...)
		if source.Run != nil {
			running.Add(1)
			group.Go(func() error {
				defer running.Done()
				return ended(ctx, source.Run(ctx))
			})
		}
	}
	return ingest.NewHandler(ingest.HTTPOptions{
		Endpoints: endpoints, Sink: d.Sink, Store: d.Store, Metrics: d.Metrics, Logger: d.Logger, Telemetry: d.Telemetry, Cluster: d.Cluster,
	})
}

// backlog is what refuses sources while detectors are behind.
func (s *service) backlog(batcher *ingest.Batcher) *backlog.Backlog {
	of := map[string]event.Source{}
	for name := range s.Config.Decoded {
		if kind, ok := ingest.Lookup(name); ok {
			of[name] = kind.Source
		}
	}
	b := backlog.New(backlog.Options{Config: s.Config.Unread, Stream: s.bus, Sink: batcher, Sources: of, Logger: s.logger})
	s.tel.Metrics().WatchUnread(b.Unread)
	return b
}

// seeing refuses to start where a source's filter would leave out what the
// user's rules need, and says which of the shipped rules see less.
func (s *service) seeing() error {
	problems, notes, err := files.BlindTo(s.Config)
	errs := []error{err}
	for _, p := range problems {
		errs = append(errs, p)
	}
	if len(notes) > 0 {
		places := make([]string, len(notes))
		for i, n := range notes {
			places[i] = fmt.Sprintf("%s:%d", n.File, n.Line)
		}
		s.logger.Warn("a source's filter leaves out lines that shipped rules look at; firebreak check says more", "rules", places)
	}
	return errors.Join(errs...)
}

func (s *service) api(ctx context.Context) (http.Handler, error) {
	kept, err := s.evidence(ctx)
	if err != nil {
		return nil, err
	}
	a := &approve.API{
		Bus: s.bus, Log: runlog.New(s.bus, 0), Incidents: incident.NewList(s.bus), Control: s.control(), Logger: s.logger, Trust: s.Config.Respond.Trust,
		Evidence: kept,
	}
	// Ones that can't be read keep the responder from starting, which says why.
	a.Books, _ = files.Playbooks(s.paths(s.Config.Playbooks), !s.Config.NoShipped)
	if s.reviewer != nil {
		a.Reviewer = s.reviewer
	}
	return a.Handler(), nil
}

func (s *service) control() *respond.Control {
	return respond.NewControl(s.bus, s.Config.Respond.Mode).Needs(s.Config.Respond.Guards.Release)
}

// respond starts the responder. The cluster may come up later than we do.
func (s *service) respond(ctx context.Context, group *errgroup.Group) error {
	if !s.has(Respond) {
		return nil
	}
	books, err := files.Playbooks(s.paths(s.Config.Playbooks), !s.Config.NoShipped)
	if err != nil {
		return err
	}
	deps := action.Deps{Logger: s.logger, Cluster: action.Offline{}, Offline: s.kube == nil}
	if s.kube != nil {
		deps.Cluster = s.kube
	}
	for _, b := range books {
		if b.Pages() && len(s.Config.Notify.Routes) == 0 {
			return fmt.Errorf("playbook %s pages people when nobody approves in time (otherwise: page): the config says nobody (notify.routes)", b.Name)
		}
	}
	outbox, err := s.notify(ctx, group)
	if err != nil {
		return err
	}
	if deps.Functions, deps.Jobs, err = s.functions(); err != nil {
		return err
	}
	if deps.Evidence, err = s.evidence(ctx); err != nil {
		return err
	}
	deps.Receivers, deps.Routes, deps.Outbox = outbox.Receivers(), s.Config.Notify.Routes, outbox
	group.Go(func() error {
		self, err := s.self(ctx)
		if err != nil {
			return ended(ctx, err)
		}
		control := s.control()
		options := s.guards(control, self)
		deps.Home = guard.Home(options)
		held, err := s.drill(deps, control)
		if err != nil {
			return err
		}
		if held != nil {
			deps.Drill, options.Drill = held, held
		}
		executor := &respond.Executor{Deps: deps, Guards: guard.New(options)}
		if s.Config.Slack != nil {
			executor.Groups = s.Config.Slack.Groups
			executor.OnCall = []guard.Approvers{{Of: "what is asked in Slack", By: s.Config.Slack.Deciders(), Need: 1}}
		}
		if s.kube != nil {
			executor.Recent, executor.Preview = kube.Recent{Cache: s.kube}, s.kube
		}
		worker, err := respond.NewWorker(ctx, respond.WorkerOptions{
			Alone: s.Config.NATS.URL == "", Importance: s.Config.Respond.Importance,
			Bus: s.bus, Books: books, Executor: executor, Control: control, Telemetry: s.tel, Logger: s.logger,
			Trust: s.Config.Respond.Trust, Archive: s.Config.Respond.Archive, People: s.Config.Respond.People, Beside: s.beside(),
		})
		if err != nil {
			return ended(ctx, err)
		}
		s.tel.Health().Add("respond", worker.Ready)
		s.tel.Metrics().WatchRuns(worker.Counts)
		s.tel.Metrics().WatchLag("respond", worker.Lag)
		if s.kube != nil {
			group.Go(func() error { return s.kube.Follow(ctx, s.logger) })
		}
		s.holdDrills(ctx, group, held, worker.Active)
		return worker.Run(ctx)
	})
	return nil
}

// guards are what they know of this place.
func (s *service) guards(control *respond.Control, self string) guard.Options {
	o := s.Config.Guarded()
	o.Control, o.Cluster, o.Ledger = control, guardCluster(s), guard.NewLedger(s.bus.Control())
	o.Self, o.Namespace, o.Node = self, os.Getenv("POD_NAMESPACE"), os.Getenv("NODE_NAME")
	if s.kube != nil {
		if home := guard.Home(o); home != "" {
			o.Switch = kube.NewSwitch(s.kube.Client, home, kube.ConfigMapName)
		}
	}
	return o
}

// guardCluster is where the guards look at the cluster.
func guardCluster(s *service) guard.Cluster {
	if s.kube == nil {
		return action.Offline{}
	}
	return kube.Recent{Cache: s.kube}
}

// self asks the cluster who we are, until it answers: without that, what we do
// ourselves could start a run.
func (s *service) self(ctx context.Context) (string, error) {
	if s.kube == nil {
		return "", nil
	}
	for wait := time.Second; ; wait = min(2*wait, 15*time.Second) {
		self, err := s.kube.Who(ctx)
		if err == nil {
			return self, nil
		}
		s.logger.Warn("the cluster does not say who we are; trying again", "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return "", ctx.Err()
		case <-timer.C:
		}
	}
}

// paths makes the paths of the config absolute.
func (s *service) paths(list []string) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = s.Config.Path(p)
	}
	return out
}

// ended is err, but nothing where it only says that ctx has ended: that was
// asked for. A call that was cancelled for another reason is a fault, and must
// not end a part of the service in silence.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// detect starts the detectors.
func (s *service) detect(ctx context.Context, group *errgroup.Group) error {
	if !s.has(Detect) {
		return nil
	}
	rules, err := files.Rules(s.paths(s.Config.Rules), !s.Config.NoShipped)
	if err != nil {
		return err
	}
	var reader atomic.Pointer[bus.Reader]
	worker := &detect.Worker{
		Engine: detect.NewEngine(rules, detect.EngineOptions{}), Store: s.bus, Snapshots: s.bus.Snapshots(), Telemetry: s.tel,
		Read: func(ctx context.Context, sequence uint64) error {
			return s.bus.SetRead(ctx, telemetry.ConsumerDetect, sequence)
		},
		Publish: s.publishControl,
		Open: func(ctx context.Context, from uint64) (detect.Reader, error) {
			r, err := s.bus.Read(ctx, bus.Events, from)
			if err != nil {
				return nil, err
			}
			reader.Store(r)
			return r, nil
		},
	}
	s.tel.Metrics().WatchLag("detect", func(ctx context.Context) (uint64, error) {
		if r := reader.Load(); r != nil {
			return r.Pending(ctx)
		}
		return 0, nil
	})
	s.tel.Metrics().WatchModels(worker.Models)
	s.tel.Health().AddNote("models", worker.Hears)
	s.tel.Metrics().WatchMemory(func() telemetry.DetectorMemory { return telemetry.DetectorMemory(worker.Memory()) })
	group.Go(func() error { return ended(ctx, worker.Run(ctx)) })
	group.Go(func() error {
		s.reload(ctx, rules.Version(), worker.Offer)
		return nil
	})
	return nil
}
