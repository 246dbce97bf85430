package ingest

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// ErrBehind says that events are not taken now because detectors are too far
// behind: what they have not read would be pushed out. What a source reads
// from files it reads again later; who posts is told to come again.
var ErrBehind = errors.New("detectors are behind")

// When to come again.
const (
	retryStore  = 2 * time.Second
	retryBehind = 5 * time.Second
	maxRetry    = time.Minute
	// deadTimeout is how long the answer to a refused request may wait until
	// the beginning of its body is kept.
	deadTimeout = time.Second
)

// refusal is why a request is not taken. What was read of its body is kept.
type refusal struct {
	status int
	class  string
	reason string
	data   []byte
	// kept says that nothing could be read and all is kept as dead letters.
	kept bool
	// after is when the client should come again.
	after time.Duration
}

func (r *refusal) Error() string { return r.reason }

// refusalOf is what a client is told of an error.
func refusalOf(err error) *refusal {
	var no *refusal
	switch {
	case errors.As(err, &no):
		return no
	case errors.Is(err, ErrBehind):
		return &refusal{
			status: http.StatusServiceUnavailable, class: telemetry.ReasonOverload, reason: ErrBehind.Error() + ", try again", after: retryBehind,
		}
	}
	return &refusal{
		status: http.StatusServiceUnavailable, class: telemetry.ReasonStore, reason: "events can't be stored now", after: retryStore,
	}
}

// errLimited refuses a client that sends more than it may.
func errLimited(wait time.Duration) error {
	return &refusal{
		status: http.StatusTooManyRequests, class: telemetry.ReasonLimited, reason: "more than the limit of this source allows", after: wait,
	}
}

// retryAfter is a wait in whole seconds, as HTTP has it.
func retryAfter(wait time.Duration) string {
	return strconv.Itoa(int(math.Ceil(min(max(wait, time.Second), maxRetry).Seconds())))
}

// refuse answers a request that was not taken.
func (r *receiver) refuse(ctx context.Context, w http.ResponseWriter, req *http.Request, o Origin, err error) {
	no := refusalOf(err)
	if no.class == telemetry.ReasonStore {
		r.Logger.WarnContext(ctx, "store events", "source", r.Name, "from", o.From, "error", err)
	}
	if no.class != "" {
		r.Metrics.Rejected(ctx, r.Source, no.class)
	}
	if no.data != nil {
		dead, cancel := context.WithTimeout(ctx, deadTimeout)
		defer cancel()
		if err := r.Store.Dead(dead, reject(r.Source, o.From, no.reason, no.data)); err != nil {
			r.Logger.WarnContext(ctx, "keep reject", "source", r.Name, "from", o.From, "error", err)
		}
	}
	r.gate.all.drains.drain(w, req)
	if no.after > 0 {
		w.Header().Set("Retry-After", retryAfter(no.after))
	}
	r.answer(w, req, Result{Status: no.status, Reason: no.reason, Kept: no.kept})
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
	shown := credential.FromRequest(req, r.KeyHeader, req.PathValue("secret"))
	switch {
	case shown.Certificate != nil && shown.Token == "":
		hint = "no name of its certificate is let in, or a token is needed too"
	case shown.Token == "" && shown.Path == "":
		hint = "it sends no credential; an API server sends a token by https only"
	}
	r.Logger.WarnContext(ctx, "refused a client; what it sends is lost", "source", r.Name, "client", req.RemoteAddr, "hint", hint)
}
