package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// MaxBatch is how many records [Bus.CreateAll] takes.
const MaxBatch = 500

// Record is the first message of a subject.
type Record struct {
	Subject string
	Data    []byte
}

// The headers of an atomic batch (NATS ADR-50).
const (
	batchID       = "Nats-Batch-Id"
	batchSequence = "Nats-Batch-Sequence"
	batchCommit   = "Nats-Batch-Commit"
	expectSubject = "Nats-Expected-Last-Subject-Sequence"
)

// CreateAll stores the first records of subjects, all or none, with one sync
// for all of them. They have to be of one stream that allows it: FINDINGS,
// INCIDENTS or RUNS. After an error ask [Bus.Create] for each: all of them may be
// stored after [ErrUnknown], and none otherwise.
func (b *Bus) CreateAll(ctx context.Context, records []Record) error {
	if len(records) == 0 || len(records) > MaxBatch {
		return fmt.Errorf("create %d records: 1 to %d go at once", len(records), MaxBatch)
	}
	if _, err := b.storeAll(ctx, records, make([]uint64, len(records))); err != nil {
		return fmt.Errorf("create %d records: %w", len(records), err)
	}
	return nil
}

// storeAll stores the next record of each of several subjects of one stream, all
// or none, if the newest of each has the sequence last still. It gives the
// sequence of the last one; the others have those before it, in order.
func (b *Bus) storeAll(ctx context.Context, records []Record, last []uint64) (end uint64, err error) {
	id := rand.Text()
	ctx, done := b.writing(ctx)
	defer done()
	if b.server != nil {
		if err := b.server.admits(streamOf(records[0].Subject)); err != nil {
			return 0, err
		}
	}
	for i, r := range records {
		if err := literal(r.Subject); err != nil {
			return 0, err
		}
		msg := &nats.Msg{Subject: r.Subject, Data: r.Data, Header: nats.Header{
			batchID: {id}, batchSequence: {strconv.Itoa(i + 1)}, expectSubject: {strconv.FormatUint(last[i], 10)},
		}}
		telemetry.Inject(ctx, msg.Header.Set)
		if i < len(records)-1 {
			if err := b.conn.PublishMsg(msg); err != nil {
				return 0, outcome(err)
			}
			continue
		}
		msg.Header.Set(batchCommit, "1")
		ack, err := b.js.PublishMsg(ctx, msg)
		if err != nil {
			return 0, outcomeOf(ctx, err)
		}
		if end = ack.Sequence; end == 0 {
			return 0, errors.New("the server took no batch")
		}
	}
	return end, nil
}
