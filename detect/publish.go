package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cenkalti/backoff/v5"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// batching is a store that takes many records at once, all or none, for the
// time of one; *bus.Bus is one.
type batching interface {
	CreateAll(ctx context.Context, records []bus.Record) error
}

// publishing is a store that takes what may be there already; *bus.Bus is one.
type publishing interface {
	Publish(ctx context.Context, subject string, data []byte) (uint64, error)
}

// publish stores the findings of a frame. Where all can't be stored at once,
// because one is there already, each is by itself.
func (w *Worker) publish(ctx context.Context, found []event.Finding) error {
	for len(found) > 0 {
		n := min(len(found), bus.MaxBatch)
		if !w.publishAll(ctx, found[:n]) {
			for _, f := range found[:n] {
				if err := w.publishOne(ctx, f); err != nil {
					return err
				}
			}
		}
		found = found[n:]
	}
	return nil
}

// publishAll stores several findings at once, if it can.
func (w *Worker) publishAll(ctx context.Context, found []event.Finding) bool {
	store, ok := w.Store.(batching)
	if !ok || len(found) < 2 {
		return false
	}
	var records []bus.Record
	for _, f := range found {
		data, err := json.Marshal(f)
		if err != nil {
			return false
		}
		records = append(records, bus.Record{Subject: bus.SubjectFinding(f.ID), Data: data})
	}
	if store.CreateAll(ctx, records) != nil {
		return false // publishOne says why
	}
	for _, f := range found {
		w.stats.findings.Add(1)
		w.Telemetry.Metrics().Finding(ctx, f.Severity)
	}
	return true
}

// publishOne stores a finding. One that is there already is fine: it is the
// same.
func (w *Worker) publishOne(ctx context.Context, f event.Finding) error {
	data, err := json.Marshal(f)
	if err != nil {
		return w.dead(ctx, event.Rejected{Source: f.Source, From: "finding " + f.ID, Reason: err.Error()})
	}
	err = w.retry(ctx, func() error {
		_, err := w.Store.Create(ctx, bus.SubjectFinding(f.ID), data)
		if errors.Is(err, bus.ErrTooLarge) {
			return backoff.Permanent(err)
		}
		if errors.Is(err, bus.ErrExists) {
			return nil
		}
		return err
	})
	if errors.Is(err, bus.ErrTooLarge) {
		return w.dead(ctx, event.Rejected{Source: f.Source, From: "finding " + f.ID, Reason: err.Error(), Data: data})
	}
	if err != nil {
		return fmt.Errorf("store finding %s: %w", f.ID, err)
	}
	w.stats.findings.Add(1)
	w.Telemetry.Metrics().Finding(ctx, f.Severity)
	return nil
}
