package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// FalcoNATSConfig is the configuration of the source falco-nats.
type FalcoNATSConfig struct {
	// Subject is what to subscribe to. Falcosidekick publishes on
	// falco.PRIORITY.RULE.
	Subject string `yaml:"subject,omitempty"`
	// Volume says what is stored one by one.
	Volume `yaml:",inline"`
}

// NeedsNATS says that nobody else can publish on the embedded NATS.
func (c *FalcoNATSConfig) NeedsNATS() bool { return true }

// Check says what of the configuration could not be used.
func (c *FalcoNATSConfig) Check() error {
	first, _, _ := strings.Cut(c.Subject, ".")
	if first == "" || strings.ContainsAny(first, "*>$ \t") {
		return fmt.Errorf("subject: %q does not begin with a word", c.Subject)
	}
	return nil
}

func init() {
	register(Kind{
		Name: "falco-nats",
		Doc: "Falco alerts that Falcosidekick publishes on an external NATS. Nobody acknowledges there: what is published while " +
			"Firebreak or NATS is away or behind is lost, so prefer its webhook (the source falco) where alerts count.",
		Source: event.SourceFalco,
		Config: func() any { return &FalcoNATSConfig{Subject: "falco.>"} },
		Open: func(d Deps, config any) (Source, error) {
			if d.Subscriber == nil {
				return Source{}, errors.New("needs an external NATS (nats.url): nobody else can publish on the embedded one")
			}
			r := &natsReader{Deps: d, subject: config.(*FalcoNATSConfig).Subject, queue: make(chan event.Event, natsQueue)}
			if r.Now == nil {
				r.Now = time.Now
			}
			return Source{Run: r.run}, nil
		},
	})
}

const (
	// natsQueue is how many events may wait for the store.
	natsQueue = 1024
	// natsBatch is how many of them are stored at a time.
	natsBatch = 256
)

// natsReader takes alerts from a subject and stores them. While the store does
// not take them it tries again; what comes meanwhile waits in the queue, then
// in the subscription, and is then lost and counted.
type natsReader struct {
	Deps
	subject string
	queue   chan event.Event
}

func (r *natsReader) run(ctx context.Context) error {
	r.Logger.WarnContext(ctx, "alerts that come by NATS are not acknowledged: what is published while Firebreak or NATS is away or behind is lost",
		"source", "falco-nats", "subject", r.subject)
	// The storing ends after the subscription, whose last alert still comes then.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stored := make(chan struct{})
	go func() {
		defer close(stored)
		r.store(life)
	}()
	err := r.Subscriber.Subscribe(ctx, r.subject, func(_ string, data []byte) { r.take(ctx, data) }, func(n int) { r.lost(ctx, n) })
	cancel()
	<-stored
	return err
}

func (r *natsReader) lost(ctx context.Context, n int) {
	r.Metrics.Lost(ctx, event.SourceFalco, n)
	r.Logger.WarnContext(ctx, "alerts came by NATS faster than they are stored; they are lost", "source", "falco-nats", "lost", n)
}

// take reads one message. The subject repeats priority and rule in words of
// somebody else's, so it stands nowhere.
func (r *natsReader) take(ctx context.Context, data []byte) {
	if len(data) > MaxEvent {
		data = data[:MaxEvent+1] // refused by its size
	}
	events, rejects := decodeAlerts(data, Origin{From: "falco nats", Received: r.Now(), Cluster: r.Cluster})
	for _, dead := range rejects {
		r.Metrics.Rejected(ctx, event.SourceFalco, reasonClass(dead.Reason))
		if err := r.Store.Dead(ctx, dead); err != nil {
			r.Logger.WarnContext(ctx, "keep reject", "source", "falco-nats", "error", err)
		}
	}
	for i := range events {
		select {
		case r.queue <- events[i]:
			continue
		default:
		}
		select {
		case r.queue <- events[i]:
		case <-ctx.Done():
			r.lost(ctx, len(events)-i)
			return
		}
	}
}

// store puts what waits into the sink until ctx ends, and then, once, the rest.
func (r *natsReader) store(ctx context.Context) {
	var waiting []event.Event
	for ctx.Err() == nil {
		select {
		case e := <-r.queue:
			if waiting = r.gather([]event.Event{e}); r.put(ctx, waiting) {
				waiting = nil
			}
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	for waiting = r.gather(waiting); len(waiting) > 0; waiting = r.gather(nil) {
		if !r.once(last, waiting) {
			r.lost(last, len(waiting)+len(r.queue))
			return
		}
	}
}

func (r *natsReader) gather(events []event.Event) []event.Event {
	for len(events) < natsBatch {
		select {
		case e := <-r.queue:
			events = append(events, e)
		default:
			return events
		}
	}
	return events
}

// put tries until the events are stored; it is false when ctx ended before.
func (r *natsReader) put(ctx context.Context, events []event.Event) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		if r.once(ctx, events) {
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

func (r *natsReader) once(ctx context.Context, events []event.Event) bool {
	if err := r.Sink.Put(ctx, events); err != nil {
		r.Logger.WarnContext(ctx, "store events", "source", "falco-nats", "error", err)
		return false
	}
	countStored(ctx, r.Metrics, event.SourceFalco, events)
	r.Metrics.Ingest(ctx, event.SourceFalco, r.Now().Sub(events[0].Received))
	return true
}
