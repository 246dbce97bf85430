package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

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
	// 48 MiB. One source may fill three quarters of it. A request past it waits
	// up to two seconds for its turn, a bounded number of them.
	Budget int64
}

const (
	defaultBudget = 48 << 20
	maxWaiting    = 256
	// Who waits longer for its turn, or for its rejects to be kept, is refused,
	// so that a sender hears of it before it gives up by itself. For events
	// the [Batcher] has such a bound.
	waitTimeout = 2 * time.Second
	readTimeout = 30 * time.Second
)

// NewHandler makes the handler of all sources:
//
//	POST /v1/falco  /v1/falco/SECRET  /  /SECRET
//	POST /v1/audit  /v1/audit/SECRET
//
// and what else an endpoint serves. The paths without /v1 are for what is
// configured for Falcosidekick or Talon. A body is answered with
//
//   - 200 {"accepted":n,"rejected":m} once the accepted events are on disk;
//     rejected is how many pieces of it could not be read: they are kept as
//     dead letters and are no use sending again
//   - 400 when nothing of it could be read, 405, 413 past its bound,
//     compressed or not, 415
//   - 401 without a credential
//   - 429 with Retry-After when the source or the client sends more than its
//     limit allows
//   - 503 with Retry-After within about five seconds when there is too much
//     to do, when detectors are too far behind, or when the store can't be
//     reached
//
// where all but 200 may also have an "error". After 429 and 503 the same body
// may be sent again: what was stored of it already counts once. It is an
// error to configure a source without a credential.
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
	all := newGates(o.Budget)
	for _, e := range o.Endpoints {
		r, err := newReceiver(o, e, newGate(all))
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

// ServeHTTP takes one body.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	began := r.Now()
	ctx := req.Context()
	client, ok := r.Credential.Admit(credential.FromRequest(req, r.KeyHeader, req.PathValue("secret")))
	if !ok {
		r.Metrics.Rejected(ctx, r.Source, telemetry.ReasonUnauthorized)
		r.tellRefused(ctx, req)
		w.Header().Set("WWW-Authenticate", "Bearer")
		// Who has no credential does not keep a connection. One of HTTP/2 may
		// carry the requests of others, which would be cut off.
		if req.ProtoMajor < 2 {
			w.Header().Set("Connection", "close")
		}
		r.answer(w, req, Result{Status: http.StatusUnauthorized, Reason: "unauthorized"})
		return
	}
	o := Origin{From: r.Name + " http " + req.RemoteAddr, Received: began, Cluster: r.Cluster}
	ctx, end := r.Telemetry.Span(telemetry.Extract(ctx, req.Header.Get), "ingest."+r.Name)
	accepted, rejected, err := r.admit(ctx, w, req, o, client)
	end(err)
	if err != nil {
		r.refuse(ctx, w, req, o, err)
		return
	}
	r.Metrics.Ingest(ctx, r.Source, r.Now().Sub(began))
	r.answer(w, req, Result{Status: http.StatusOK, Accepted: accepted, Rejected: rejected})
}

// admit takes one body, if the source's limits let the client send it.
func (r *receiver) admit(ctx context.Context, w http.ResponseWriter, req *http.Request, o Origin, client credential.Client) (accepted, rejected int, err error) {
	pass, wait := r.Limit.Enter(string(client), req.ContentLength, r.Now())
	if wait > 0 {
		return 0, 0, errLimited(wait)
	}
	defer pass.Leave()
	size := weight(req, r.MaxBody)
	if r.Dense {
		size = r.MaxBody
	}
	release, err := r.gate.enter(ctx, size)
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
	t := &taking{receiver: r, pass: pass, whole: int64(len(body))}
	err = t.take(req.WithContext(ctx), body, o)
	return t.accepted, t.rejected, err
}

// bury keeps rejects in the dead stream.
func (r *receiver) bury(ctx context.Context, rejects []event.Rejected) error {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	for _, dead := range rejects {
		r.Metrics.Rejected(ctx, r.Source, reasonClass(dead.Reason))
		if err := r.Store.Dead(ctx, dead); err != nil {
			return fmt.Errorf("keep reject: %w", err)
		}
	}
	return nil
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
