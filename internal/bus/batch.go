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
// for all of them. They have to be of one stream, of which FINDINGS alone
// allows it. After an error ask [Bus.Create] for each: all of them may be
// stored after [ErrUnknown], and none otherwise.
func (b *Bus) CreateAll(ctx context.Context, records []Record) error {
	if len(records) == 0 || len(records) > MaxBatch {
		return fmt.Errorf("create %d records: 1 to %d go at once", len(records), MaxBatch)
	}
	if err := b.createAll(ctx, records); err != nil {
		return fmt.Errorf("create %d records: %w", len(records), err)
	}
	return nil
}

func (b *Bus) createAll(ctx context.Context, records []Record) error {
	id := rand.Text()
	ctx, done := b.writing(ctx)
	defer done()
	for i, r := range records {
		if err := literal(r.Subject); err != nil {
			return err
		}
		msg := &nats.Msg{Subject: r.Subject, Data: r.Data, Header: nats.Header{
			batchID: {id}, batchSequence: {strconv.Itoa(i + 1)}, expectSubject: {"0"},
		}}
		telemetry.Inject(ctx, msg.Header.Set)
		if i < len(records)-1 {
			if err := b.conn.PublishMsg(msg); err != nil {
				return outcome(err)
			}
			continue
		}
		msg.Header.Set(batchCommit, "1")
		ack, err := b.js.PublishMsg(ctx, msg)
		if err != nil {
			return outcomeOf(ctx, err)
		}
		if ack.Sequence == 0 {
			return errors.New("the server took no batch")
		}
	}
	return nil
}
