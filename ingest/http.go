package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// HTTPSource is one source that the server takes.
type HTTPSource struct {
	// Kind names it in the catalogue: falco or audit.
	Kind       string
	Credential Credential
	// MaxBody is the most bytes of a body, compressed or not; 0 means the
	// source's default.
	MaxBody int64
}

// HTTPOptions is what the handler needs. Sink, Store and Metrics are required.
type HTTPOptions struct {
	Sources []HTTPSource
	Sink    Sink
	// Store takes the rejects.
	Store   Store
	Metrics Metrics
	Logger  *slog.Logger
	// Telemetry makes the spans; nil makes none.
	Telemetry *telemetry.Telemetry
	// Cluster is put into the events.
	Cluster string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Budget is how many bytes of bodies may be in work at a time; 0 means
	// 32 MiB. A request past it waits up to five seconds for its turn, a
	// bounded number of them.
	Budget int64
}

const (
	defaultBudget = 32 << 20
	maxWaiting    = 256
	waitTimeout   = 5 * time.Second
	readTimeout   = 30 * time.Second
	retryAfter    = "2"
)

// NewHandler makes the handler of all sources:
//
//	POST /v1/falco  /v1/falco/SECRET  /  /SECRET
//	POST /v1/audit  /v1/audit/SECRET
//
// The paths without /v1 are for what is configured for Falcosidekick or
// Talon. The answers are 200 {"accepted":n,"rejected":m} once the events are
// on disk; 400 when nothing of the body could be read; 401; 405; 413 for a
// body past its bound, compressed or not; 415; and 503 with Retry-After when
// there is too much to do or the store can't be reached. It is an error to
// configure a source without a credential.
func NewHandler(o HTTPOptions) (http.Handler, error) {
	if o.Sink == nil || o.Store == nil || o.Metrics == nil {
		return nil, errors.New("make ingest handler: sink, store and metrics are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Budget <= 0 {
		o.Budget = defaultBudget
	}
	mux := http.NewServeMux()
	gate := &gate{
		bytes: semaphore.NewWeighted(o.Budget), size: o.Budget, waiting: make(chan struct{}, maxWaiting),
		decodes: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)) + 1),
	}
	for _, s := range o.Sources {
		r, err := newReceiver(o, s, gate)
		if err != nil {
			return nil, fmt.Errorf("make ingest handler: source %s: %w", s.Kind, err)
		}
		mux.Handle("POST /v1/"+s.Kind, r)
		mux.Handle("POST /v1/"+s.Kind+"/{secret}", r)
		if r.kind.Source == event.SourceFalco {
			mux.Handle("POST /{$}", r)
			mux.Handle("POST /{secret}", r)
		}
	}
	return mux, nil
}

func newReceiver(o HTTPOptions, s HTTPSource, g *gate) (*receiver, error) {
	kind, ok := Lookup(s.Kind)
	if !ok || kind.Decode == nil {
		return nil, errors.New("is not a source that is posted")
	}
	if s.Credential.empty() {
		return nil, fmt.Errorf("has no credential of at least %d bytes", minSecret)
	}
	if s.MaxBody <= 0 {
		s.MaxBody = kind.Config().(*HTTPConfig).MaxBody
	}
	return &receiver{HTTPOptions: o, source: s, kind: kind, gate: g}, nil
}

// receiver answers the requests of one source.
type receiver struct {
	HTTPOptions
	source HTTPSource
	kind   Kind
	gate   *gate
	// told is when a refused client was last logged, in Unix seconds.
	told atomic.Int64
}

// tellEvery is how often refused clients are logged, in seconds: a sender
// without its credential loses everything it sends, and nobody else would see.
const tellEvery = 60

func (r *receiver) tellRefused(ctx context.Context, req *http.Request) {
	last, now := r.told.Load(), r.Now().Unix()
	if now-last < tellEvery || !r.told.CompareAndSwap(last, now) {
		return
	}
	hint := "its credential is wrong"
	if req.Header.Get("Authorization") == "" {
		hint = "it sends no credential; an API server sends a token by https only"
	}
	r.Logger.WarnContext(ctx, "refused a client; what it sends is lost", "source", r.kind.Name, "client", req.RemoteAddr, "hint", hint)
}

// refusal is why a request is not taken. What was read of its body is kept.
type refusal struct {
	status int
	class  string
	reason string
	data   []byte
}

func (r *refusal) Error() string { return r.reason }

// ServeHTTP takes one body.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	began := r.Now()
	ctx := req.Context()
	if !r.source.Credential.admits(req, req.PathValue("secret")) {
		r.Metrics.Rejected(ctx, r.kind.Source, telemetry.ReasonUnauthorized)
		r.tellRefused(ctx, req)
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, http.StatusUnauthorized, map[string]any{"error": "unauthorized"})
		return
	}
	o := Origin{From: r.kind.Name + " http " + req.RemoteAddr, Received: began, Cluster: r.Cluster}
	ctx, end := r.Telemetry.Span(telemetry.Extract(ctx, req.Header.Get), "ingest."+r.kind.Name)
	accepted, rejected, err := r.take(ctx, w, req, o)
	end(err)
	if err != nil {
		r.refuse(ctx, w, o, err)
		return
	}
	r.Metrics.Ingest(ctx, r.kind.Source, r.Now().Sub(began))
	answer(w, http.StatusOK, map[string]any{"accepted": accepted, "rejected": rejected})
}

// take reads, decodes and stores one body.
func (r *receiver) take(ctx context.Context, w http.ResponseWriter, req *http.Request, o Origin) (accepted, rejected int, err error) {
	release, err := r.gate.enter(ctx, weight(req, r.source.MaxBody))
	if err != nil {
		return 0, 0, err
	}
	defer release()
	// A server without deadlines (a test's) says so; then there is none.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout))
	body, err := readBody(w, req, r.source.MaxBody)
	if err != nil {
		return 0, 0, err
	}
	events, rejects, err := r.decode(ctx, body, o)
	if err != nil {
		return 0, 0, err
	}
	if err := r.bury(ctx, rejects); err != nil {
		return 0, 0, err
	}
	if len(events) == 0 && len(rejects) > 0 {
		return 0, 0, &refusal{status: http.StatusBadRequest, reason: rejects[0].Reason}
	}
	if err := r.Sink.Put(ctx, events); err != nil {
		return 0, 0, err
	}
	countStored(ctx, r.Metrics, r.kind.Source, events)
	return len(events), len(rejects), nil
}

func (r *receiver) decode(ctx context.Context, body []byte, o Origin) ([]event.Event, []event.Rejected, error) {
	if err := r.gate.decodes.Acquire(ctx, 1); err != nil {
		return nil, nil, err
	}
	defer r.gate.decodes.Release(1)
	events, rejects := r.kind.Decode(body, o)
	return events, rejects, nil
}

// bury keeps rejects in the dead stream.
func (r *receiver) bury(ctx context.Context, rejects []event.Rejected) error {
	for _, dead := range rejects {
		r.Metrics.Rejected(ctx, r.kind.Source, reasonClass(dead.Reason))
		if err := r.Store.Dead(ctx, dead); err != nil {
			return fmt.Errorf("keep reject: %w", err)
		}
	}
	return nil
}

// refuse answers a request that was not taken.
func (r *receiver) refuse(ctx context.Context, w http.ResponseWriter, o Origin, err error) {
	var no *refusal
	if !errors.As(err, &no) {
		no = &refusal{status: http.StatusServiceUnavailable, class: telemetry.ReasonStore, reason: "events can't be stored now"}
		r.Logger.WarnContext(ctx, "store events", "source", r.kind.Name, "from", o.From, "error", err)
	}
	if no.class != "" {
		r.Metrics.Rejected(ctx, r.kind.Source, no.class)
	}
	if no.data != nil {
		if err := r.Store.Dead(ctx, reject(r.kind.Source, o.From, no.reason, no.data)); err != nil {
			r.Logger.WarnContext(ctx, "keep reject", "source", r.kind.Name, "from", o.From, "error", err)
		}
	}
	if no.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	answer(w, no.status, map[string]any{"error": no.reason})
}

// answer writes a small JSON object. That the client is gone is no concern.
func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
