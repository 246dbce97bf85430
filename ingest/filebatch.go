package ingest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Bounds of a batch of what was read of files: some frames, so that the store
// has the next at hand while it writes one.
const (
	batchEvents = 4 * event.MaxFrameEvents
	batchBytes  = 8 * event.MaxFrameBytes
	// maxFileRejects is how many lines of one file a batch keeps as rejects;
	// one more stands for the rest.
	maxFileRejects = 20
)

// fileBatch gathers what was read until it is stored together.
type fileBatch struct {
	source  event.Source
	events  []event.Event
	bytes   int
	rejects []event.Rejected
	files   map[string]*fileRejects
	reasons map[string]int
	last    int // events of the batch before
}

// fileRejects counts what one file gave.
type fileRejects struct{ kept, more int }

func (b *fileBatch) add(e *event.Event) {
	if b.events == nil {
		// Events are large: growing step by step would copy them often.
		b.events = make([]event.Event, 0, max(b.last, 16))
	}
	b.events = append(b.events, *e)
	b.bytes += len(e.Message) + 512
}

// reject takes what became no event.
func (b *fileBatch) reject(file string, r event.Rejected) {
	if b.files == nil {
		b.files, b.reasons = map[string]*fileRejects{}, map[string]int{}
	}
	b.reasons[reasonClass(r.Reason)]++
	f := b.files[file]
	if f == nil {
		f = &fileRejects{}
		b.files[file] = f
	}
	if f.kept == maxFileRejects {
		f.more++
		return
	}
	f.kept++
	b.rejects = append(b.rejects, r)
	b.bytes += len(r.Data)
}

func (b *fileBatch) full() bool {
	return len(b.events) >= batchEvents || b.bytes >= batchBytes || len(b.rejects) >= event.MaxFrameEvents
}

// take empties the batch.
func (b *fileBatch) take() fileBatch {
	full := *b
	*b = fileBatch{source: b.source, last: len(full.events)}
	for _, path := range sortedKeys(full.files) {
		if more := full.files[path].more; more > 0 {
			full.rejects = append(full.rejects, reject(b.source, path, fmt.Sprintf("and %d more lines of the file", more), nil))
		}
	}
	return full
}

func (b *fileBatch) empty() bool { return len(b.events) == 0 && len(b.rejects) == 0 }

// store gives the function that stores the batch, see [tail.Handler].
func (b *fileBatch) store(d Deps) func(context.Context) error {
	events, rejects, put := b.events, b.rejects, false
	start := time.Now()
	return func(ctx context.Context) error {
		if !put {
			if err := d.Sink.Put(ctx, events); err != nil {
				return err
			}
			put = true
		}
		for len(rejects) > 0 {
			if err := d.Store.Dead(ctx, rejects[0]); err != nil {
				return fmt.Errorf("keep reject: %w", err)
			}
			rejects = rejects[1:]
		}
		countStored(ctx, d.Metrics, b.source, events)
		for reason, n := range b.reasons {
			for range n {
				d.Metrics.Rejected(ctx, b.source, reason)
			}
		}
		d.Metrics.Ingest(ctx, b.source, time.Since(start))
		return nil
	}
}

// TagTruncated marks the first event after the truncation of the file that it
// was read from: lines before it may be lost. The field lost_bytes says how
// much is known to be, if any is.
const TagTruncated = "firebreak:file-truncated"

func tellLoss(e *event.Event, truncated bool, lost int64) {
	if !truncated {
		return
	}
	e.Tags = append(slices.Clip(e.Tags), TagTruncated)
	if lost > 0 {
		if e.Fields == nil {
			e.Fields = event.Fields{}
		}
		e.Fields["lost_bytes"] = lost
	}
}
