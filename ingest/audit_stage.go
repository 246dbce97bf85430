package ingest

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Stages says which of a request's audit events are taken. The API server
// writes up to three of each: RequestReceived, then ResponseStarted where the
// answer goes on for long (watch, exec, attach, portforward, proxy, logs that
// are followed), and ResponseComplete or Panic.
//
//   - all: every one, with the same fields.audit_id.
//   - last: ResponseComplete and Panic, and two more without which something
//     would be missed: ResponseStarted with code 401, since a request that
//     fails to authenticate has no later one, and ResponseStarted of exec,
//     attach and portforward, since a session must be seen when it begins and
//     not when it ends. So it is one event a request, and two of a session.
//     Events that name no stage are taken.
//
// What is left out is counted as unstored. The choice looks at one event at a
// time: it needs no memory, and holds over restarts and replicas.
type Stages string

// The choices of [Stages].
const (
	StagesAll  Stages = "all"
	StagesLast Stages = "last"
)

// AuditConfig is the configuration of a source of audit events that is posted
// by HTTP.
type AuditConfig struct {
	HTTPConfig `yaml:",inline"`
	// Stages is all or last, see [Stages].
	Stages Stages `yaml:"stages,omitempty"`
	// TrustedProxies are those that stand before the API server and set
	// X-Forwarded-For and X-Real-Ip themselves; without any, actor.address is who
	// connected to the API server.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies,omitempty"`
}

// Check says what of the configuration could not be used, without reading any
// file.
func (c *AuditConfig) Check() error {
	if err := c.Stages.check(); err != nil {
		return err
	}
	if err := checkProxies(c.TrustedProxies); err != nil {
		return err
	}
	return c.HTTPConfig.Check()
}

func (s Stages) check() error {
	if s != StagesAll && s != StagesLast {
		return fmt.Errorf("stages is %q, neither all nor last", string(s))
	}
	return nil
}

// takes says whether an event is one of those to take.
func (s Stages) takes(e *event.Event) bool {
	if s != StagesLast {
		return true
	}
	switch e.Fields["stage"] {
	case "RequestReceived":
		return false
	case "ResponseStarted":
		return e.Class == event.ClassAPIExec || e.Fields["code"] == int64(401)
	}
	return true
}

// split tells the events to take from those that are left out.
func (s Stages) split(events []event.Event) (kept, left []event.Event) {
	if s != StagesLast {
		return events, nil
	}
	kept = make([]event.Event, 0, len(events))
	for i := range events {
		if s.takes(&events[i]) {
			kept = append(kept, events[i])
		} else {
			left = append(left, events[i])
		}
	}
	return kept, left
}

// keep takes out of events what is left out, and counts it.
func (s Stages) keep(ctx context.Context, m Metrics, events []event.Event) []event.Event {
	kept, left := s.split(events)
	if len(left) > 0 {
		countStored(ctx, m, event.SourceAudit, left)
		m.Unstored(ctx, event.SourceAudit, len(left))
	}
	return kept
}

// stageSink leaves out what the stages say, for a reader of files. Who puts
// counts the events.
type stageSink struct {
	Sink
	stages  Stages
	metrics Metrics
}

// Unwrap gives the sink below.
func (s stageSink) Unwrap() Sink { return s.Sink }

// Put stores the events that are to be taken.
func (s stageSink) Put(ctx context.Context, events []event.Event) error {
	kept, left := s.stages.split(events)
	if len(kept) > 0 {
		if err := s.Sink.Put(ctx, kept); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		s.metrics.Unstored(ctx, event.SourceAudit, len(left))
	}
	return nil
}
