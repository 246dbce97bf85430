package heartbeat

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// The intervals of beats that a config need not give.
const (
	DefaultEvery  = 10 * time.Second
	DefaultWithin = time.Minute
)

// The keys of the record and of the key in the bus.
const (
	recordKey = "heartbeat"
	secretKey = "heartbeat-key"
)

// attempts bounds the writes of the record after a conflict.
const attempts = 8

// Store keeps the record; [*bus.KV] is one.
type Store interface {
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	CompareAndSet(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
}

// Metrics counts beats and shows gaps; [*telemetry.Metrics] is one.
type Metrics interface {
	Heartbeat(ctx context.Context, result string)
	CoverageGap(source event.Source, open bool)
}

// What becomes of a beat: the label result.
const (
	ResultSent     = "sent"
	ResultFailed   = "failed"
	ResultReturned = "returned"
)

// Options of [New]; all but Cluster, Every and Within are required.
type Options struct {
	// Beat sends the API server a request that carries the text as user agent
	// and audit id. It returns an error when the request did not get there;
	// that it is refused is as good.
	Beat  func(ctx context.Context, text string) error
	Store Store
	// Sink takes the control events.
	Sink    ingest.Sink
	Metrics Metrics
	Logger  *slog.Logger
	Cluster string
	// Every is how often a beat is sent, Within how soon it must be back.
	Every, Within time.Duration
}

// Monitor sends beats and looks for them among audit events. Its methods may
// be called concurrently.
type Monitor struct {
	o   Options
	key atomic.Pointer[[]byte]
	// newest is the newest beat that came back here, in Unix milliseconds, and
	// wake says that it changed.
	newest atomic.Int64
	wake   chan struct{}
	// failing and gap are what was logged last.
	failing, gap bool
}

// New makes a monitor that does nothing yet.
func New(o Options) *Monitor {
	if o.Every <= 0 {
		o.Every = DefaultEvery
	}
	if o.Within <= 0 {
		o.Within = DefaultWithin
	}
	return &Monitor{o: o, wake: make(chan struct{}, 1)}
}

// Before puts the monitor before a sink: beats end there.
func (m *Monitor) Before(next ingest.Sink) ingest.Sink { return &sink{m, next} }

type sink struct {
	monitor *Monitor
	next    ingest.Sink
}

// Unwrap is the sink behind.
func (s *sink) Unwrap() ingest.Sink { return s.next }

// Put takes the beats out and puts the others on.
func (s *sink) Put(ctx context.Context, events []event.Event) error {
	rest := s.monitor.take(ctx, events)
	if len(rest) == 0 && len(events) > 0 {
		return nil
	}
	return s.next.Put(ctx, rest)
}

func (m *Monitor) take(ctx context.Context, events []event.Event) []event.Event {
	key := m.key.Load()
	if key == nil {
		return events
	}
	isBeat := func(e event.Event) bool {
		_, ok := beat(*key, &e)
		return ok
	}
	if !slices.ContainsFunc(events, isBeat) {
		return events
	}
	rest := make([]event.Event, 0, len(events))
	for i := range events {
		sent, ok := beat(*key, &events[i])
		if !ok {
			rest = append(rest, events[i])
			continue
		}
		m.o.Metrics.Heartbeat(ctx, ResultReturned)
		m.returned(sent)
	}
	return rest
}

// returned tells [Monitor.Run] of a beat that came back.
func (m *Monitor) returned(sent time.Time) {
	for {
		last := m.newest.Load()
		if sent.UnixMilli() <= last {
			return
		}
		if m.newest.CompareAndSwap(last, sent.UnixMilli()) {
			break
		}
	}
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run sends beats and watches for them until ctx ends, and then returns nil.
func (m *Monitor) Run(ctx context.Context) error {
	tick := time.NewTicker(max(m.o.Every/5, time.Millisecond))
	defer tick.Stop()
	for {
		if err := m.step(ctx); err != nil && ctx.Err() == nil {
			m.o.Logger.WarnContext(ctx, "heartbeat", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.wake:
		case <-tick.C:
		}
	}
}

// step does what is due.
func (m *Monitor) step(ctx context.Context) error {
	if m.key.Load() == nil {
		if err := m.share(ctx); err != nil {
			return err
		}
	}
	var send time.Time
	r, err := m.change(ctx, func(r *record) bool {
		send = time.Time{}
		changed := false
		if n := m.newest.Load(); n > 0 {
			changed = r.returned(time.UnixMilli(n))
		}
		now := time.Now()
		r.resume(now, m.o.Every)
		changed = r.look(now, m.o.Within) || changed
		if r.due(now, m.o.Every) {
			// Marks count in milliseconds.
			send = now.Truncate(time.Millisecond)
			r.send(send)
			changed = true
		}
		return changed
	})
	if err != nil {
		return err
	}
	if !send.IsZero() {
		err = m.send(ctx, send)
	}
	m.show(ctx, r)
	return errors.Join(err, m.tell(ctx, r))
}

// change changes the record, whoever else does, too.
func (m *Monitor) change(ctx context.Context, do func(r *record) bool) (*record, error) {
	for range attempts {
		r := &record{}
		data, revision, err := m.o.Store.Get(ctx, recordKey)
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			return nil, fmt.Errorf("read heartbeats: %w", err)
		}
		if err == nil {
			if err := json.Unmarshal(data, r); err != nil {
				r = &record{}
			}
		}
		if !do(r) {
			return r, nil
		}
		if data, err = json.Marshal(r); err != nil {
			return nil, fmt.Errorf("encode heartbeats: %w", err)
		}
		_, err = m.o.Store.CompareAndSet(ctx, recordKey, data, revision)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return nil, fmt.Errorf("store heartbeats: %w", err)
		}
	}
	return nil, errors.New("store heartbeats: others were always first")
}

// share takes the key that all processes use, or makes it.
func (m *Monitor) share(ctx context.Context) error {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // it never fails
	_, err := m.o.Store.CompareAndSet(ctx, secretKey, key, 0)
	if errors.Is(err, bus.ErrConflict) {
		key, _, err = m.o.Store.Get(ctx, secretKey)
	}
	if err != nil {
		return fmt.Errorf("share the key of heartbeats: %w", err)
	}
	m.key.Store(&key)
	return nil
}

// send sends a beat that the record has already. One that does not get there
// is taken back: that the API server is away says nothing about its audit log.
func (m *Monitor) send(ctx context.Context, at time.Time) error {
	limited, cancel := context.WithTimeout(ctx, m.o.Every)
	defer cancel()
	err := m.o.Beat(limited, Agent+mark(*m.key.Load(), at))
	if err == nil {
		m.failing = false
		m.o.Metrics.Heartbeat(ctx, ResultSent)
		return nil
	}
	m.o.Metrics.Heartbeat(ctx, ResultFailed)
	if !m.failing && ctx.Err() == nil {
		m.failing = true
		m.o.Logger.WarnContext(ctx, "the API server can't be reached: whether its audit events come is not known", "error", err)
	}
	_, err = m.change(ctx, func(r *record) bool { r.unsent(at); return true })
	return err
}

// show puts the state of the record where people look.
func (m *Monitor) show(ctx context.Context, r *record) {
	open := !r.Gap.IsZero()
	m.o.Metrics.CoverageGap(event.SourceAudit, open)
	if open == m.gap {
		return
	}
	m.gap = open
	if open {
		m.o.Logger.ErrorContext(ctx, "audit events do not come any more: a request of ours was not in the audit log", "since", r.Gap)
	} else {
		m.o.Logger.InfoContext(ctx, "audit events come again", "last", r.Seen)
	}
}

// tell stores the events of notices, and takes these off the record then: what
// two processes tell has the same id.
func (m *Monitor) tell(ctx context.Context, r *record) error {
	if len(r.Notices) == 0 {
		return nil
	}
	told := r.Notices
	events := make([]event.Event, len(told))
	for i, n := range told {
		events[i] = m.event(n)
	}
	if err := m.o.Sink.Put(ctx, events); err != nil {
		return fmt.Errorf("tell of a gap: %w", err)
	}
	_, err := m.change(ctx, func(r *record) bool {
		r.Notices = slices.DeleteFunc(r.Notices, func(n notice) bool { return slices.ContainsFunc(told, n.same) })
		return true
	})
	return err
}

func (n notice) same(o notice) bool {
	return n.Verb == o.Verb && n.From.Equal(o.From) && n.To.Equal(o.To)
}

// event is a notice as detectors see it: fields.source is whose events stay
// away, fields.from the first request that was missed, and at the end fields.to
// the one that came back, with fields.seconds between.
func (m *Monitor) event(n notice) event.Event {
	now := time.Now().UTC()
	e := event.Event{
		ID:     event.HashID(string(event.SourceControl), n.Verb, string(event.SourceAudit), n.From.UTC().String(), n.To.UTC().String()),
		Source: event.SourceControl, Class: event.ClassControl, Time: now, Received: now, Cluster: m.o.Cluster,
		Severity: event.SeverityHigh, Trust: event.TrustAudit, Verb: n.Verb, From: "heartbeat",
		Message: "no audit events since " + n.From.UTC().Format(time.RFC3339),
		Fields:  event.Fields{"source": string(event.SourceAudit), "from": n.From.UTC().Format(time.RFC3339Nano)},
	}
	if n.Verb == VerbGapEnd {
		e.Severity = event.SeverityInfo
		e.Message = "audit events come again"
		e.Fields["to"] = n.To.UTC().Format(time.RFC3339Nano)
		e.Fields["seconds"] = int64(n.To.Sub(n.From).Seconds())
	}
	return e
}
