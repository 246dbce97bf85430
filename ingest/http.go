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

	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// HTTPOptions is what the handler needs. Sink, Store and Metrics are required.
type HTTPOptions struct {
	Endpoints []Endpoint
	Sink      Sink
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
	for _, e := range o.Endpoints {
		r, err := newReceiver(o, e, gate)
		if err != nil {
			return nil, fmt.Errorf("make ingest handler: %s: %w", e.Name, err)
		}
		mux.Handle("POST /v1/"+e.Name, r)
		mux.Handle("POST /v1/"+e.Name+"/{secret}", r)
		for _, path := range e.Paths {
			mux.Handle("POST "+path, r)
		}
		if e.Root {
			mux.Handle("POST /{$}", r)
			mux.Handle("POST /{secret}", r)
		}
	}
	return mux, nil
}

func newReceiver(o HTTPOptions, e Endpoint, g *gate) (*receiver, error) {
	if e.Name == "" || e.Decode == nil || e.MaxBody <= 0 {
		return nil, errors.New("name, decoder and bound of a body are required")
	}
	if e.Credential.Empty() {
		return nil, credential.ErrNone
	}
	if e.Sink == nil {
		e.Sink = o.Sink
	}
	return &receiver{HTTPOptions: o, Endpoint: e, gate: g}, nil
}

// receiver answers the requests of one endpoint.
type receiver struct {
	HTTPOptions
	Endpoint
	gate *gate
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
	r.Logger.WarnContext(ctx, "refused a client; what it sends is lost", "source", r.Name, "client", req.RemoteAddr, "hint", hint)
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
	if _, ok := r.Credential.Admit(credential.FromRequest(req, r.KeyHeader, req.PathValue("secret"))); !ok {
		r.Metrics.Rejected(ctx, r.Source, telemetry.ReasonUnauthorized)
		r.tellRefused(ctx, req)
		w.Header().Set("WWW-Authenticate", "Bearer")
		r.answer(w, req, Result{Status: http.StatusUnauthorized, Reason: "unauthorized"})
		return
	}
	o := Origin{From: r.Name + " http " + req.RemoteAddr, Received: began, Cluster: r.Cluster}
	ctx, end := r.Telemetry.Span(telemetry.Extract(ctx, req.Header.Get), "ingest."+r.Name)
	accepted, rejected, err := r.take(ctx, w, req, o)
	end(err)
	if err != nil {
		r.refuse(ctx, w, req, o, err)
		return
	}
	r.Metrics.Ingest(ctx, r.Source, r.Now().Sub(began))
	r.answer(w, req, Result{Status: http.StatusOK, Accepted: accepted, Rejected: rejected})
}

// take reads, decodes and stores one body.
func (r *receiver) take(ctx context.Context, w http.ResponseWriter, req *http.Request, o Origin) (accepted, rejected int, err error) {
	release, err := r.gate.enter(ctx, weight(req, r.MaxBody))
	if err != nil {
		return 0, 0, err
	}
	defer release()
	// A server without deadlines (a test's) says so; then there is none.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout))
	body, err := readBody(w, req, r.MaxBody, r.Types)
	if err != nil {
		return 0, 0, err
	}
	events, rejects, err := r.decode(req.WithContext(ctx), body, o)
	if err != nil {
		return 0, 0, err
	}
	if err := r.bury(ctx, rejects); err != nil {
		return 0, 0, err
	}
	if len(events) == 0 && len(rejects) > 0 {
		return 0, 0, &refusal{status: http.StatusBadRequest, reason: rejects[0].Reason}
	}
	if err := r.Endpoint.Sink.Put(ctx, events); err != nil {
		return 0, 0, err
	}
	countStored(ctx, r.Metrics, r.Source, events)
	return len(events), len(rejects), nil
}

func (r *receiver) decode(req *http.Request, body []byte, o Origin) ([]event.Event, []event.Rejected, error) {
	if err := r.gate.decodes.Acquire(req.Context(), 1); err != nil {
		return nil, nil, err
	}
	defer r.gate.decodes.Release(1)
	events, rejects := r.Decode(req, body, o)
	return events, rejects, nil
}

// bury keeps rejects in the dead stream.
func (r *receiver) bury(ctx context.Context, rejects []event.Rejected) error {
	for _, dead := range rejects {
		r.Metrics.Rejected(ctx, r.Source, reasonClass(dead.Reason))
		if err := r.Store.Dead(ctx, dead); err != nil {
			return fmt.Errorf("keep reject: %w", err)
		}
	}
	return nil
}

// refuse answers a request that was not taken.
func (r *receiver) refuse(ctx context.Context, w http.ResponseWriter, req *http.Request, o Origin, err error) {
	var no *refusal
	if !errors.As(err, &no) {
		no = &refusal{status: http.StatusServiceUnavailable, class: telemetry.ReasonStore, reason: "events can't be stored now"}
		r.Logger.WarnContext(ctx, "store events", "source", r.Name, "from", o.From, "error", err)
	}
	if no.class != "" {
		r.Metrics.Rejected(ctx, r.Source, no.class)
	}
	if no.data != nil {
		if err := r.Store.Dead(ctx, reject(r.Source, o.From, no.reason, no.data)); err != nil {
			r.Logger.WarnContext(ctx, "keep reject", "source", r.Name, "from", o.From, "error", err)
		}
	}
	if no.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	r.answer(w, req, Result{Status: no.status, Reason: no.reason})
}

// answer writes what became of a request. That the client is gone is no
// concern.
func (r *receiver) answer(w http.ResponseWriter, req *http.Request, result Result) {
	if r.Answer != nil {
		r.Answer(w, req, result)
		return
	}
	body := map[string]any{"error": result.Reason}
	if result.Status == http.StatusOK {
		body = map[string]any{"accepted": result.Accepted, "rejected": result.Rejected}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(result.Status)
	_ = json.NewEncoder(w).Encode(body)
}
