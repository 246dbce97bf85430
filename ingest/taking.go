package ingest

import (
	"context"
	"errors"
	"net/http"

	"github.com/firebreak-io/firebreak/ingest/limit"
	"github.com/firebreak-io/firebreak/internal/event"
)

// taking is the storing of one body. Its events are decoded and stored some at
// a time: as events they take many times the room of their text.
type taking struct {
	*receiver
	pass *limit.Pass
	// whole is how many bytes the body has.
	whole int64
	// next are decoded and not stored yet.
	next []event.Event
	// charged is what the client's limit knows of.
	charged            int
	accepted, rejected int
}

// eventWeight is about how many bytes an event takes in memory besides its
// texts, textWeight how many times a text's length those take.
const (
	eventWeight = 2 << 10
	textWeight  = 4
)

// take stores what a body holds, and returns when it is on disk.
func (t *taking) take(req *http.Request, body []byte, o Origin) error {
	ctx := req.Context()
	rejects, leave, err := t.decode(req, body, o)
	defer leave()
	t.charge(len(rejects))
	if err := t.bury(ctx, rejects); err != nil {
		return err
	}
	t.rejected = len(rejects)
	if whole := errWhole(""); errors.As(err, &whole) {
		return &refusal{status: http.StatusBadRequest, reason: whole.Error(), kept: true}
	}
	if err != nil {
		return err
	}
	if len(t.next) == 0 && t.accepted == 0 && len(rejects) > 0 {
		return &refusal{status: http.StatusBadRequest, reason: rejects[0].Reason, kept: true}
	}
	return t.store(ctx, leave)
}

// decode reads the body and stores all events but the last few. The caller
// must call leave, once or more, when others may decode.
func (t *taking) decode(req *http.Request, body []byte, o Origin) (rejects []event.Rejected, leave func(), err error) {
	leave, err = t.gate.decode(req.Context(), t.whole)
	if err != nil {
		return nil, leave, err
	}
	rejects, err = t.Decode(req, body, o, func(events []event.Event) error {
		if err := t.store(req.Context(), func() {}); err != nil {
			return err
		}
		t.next = events
		return nil
	})
	return rejects, leave, err
}

// store stores what is decoded. It calls leave when it has come in where what
// is decoded is counted.
func (t *taking) store(ctx context.Context, leave func()) error {
	events := t.next
	if t.next = nil; len(events) == 0 {
		return nil
	}
	release, err := t.gate.hold(ctx, int64(len(events))*eventWeight+textWeight*min(t.whole, givenBytes))
	if err != nil {
		return err
	}
	defer release()
	leave()
	t.charge(len(events))
	if err := t.Endpoint.Sink.Put(ctx, events); err != nil {
		return err
	}
	countStored(ctx, t.Metrics, t.Source, events)
	t.accepted += len(events)
	return nil
}

// charge counts what was found in the body against the client's limit.
func (t *taking) charge(n int) {
	t.charged += n
	t.pass.Charge(t.charged, t.whole, t.Now())
}
