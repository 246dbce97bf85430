package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// provide makes a stream, or brings an existing one to its settings. It
// never takes a bound below what the stream holds, because the server would
// drop the rest at once.
func (b *Bus) provide(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	old, err := b.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return b.js.CreateStream(ctx, want)
	}
	if err != nil {
		return nil, err
	}
	info := old.CachedInfo()
	kept := keep(&want, info, time.Now())
	if len(kept) > 0 {
		b.opts.Logger.WarnContext(ctx, "a lower bound would drop stored messages, so the old one stays",
			"stream", want.Name, "bounds", kept, "bytes", info.State.Bytes, "oldest", info.State.FirstTime)
	}
	return b.js.UpdateStream(ctx, want)
}

// keep raises the bounds of want to those of the stream as it is, where
// lower ones would drop messages, and names them.
func keep(want *jetstream.StreamConfig, have *jetstream.StreamInfo, now time.Time) []string {
	if have.State.Msgs == 0 {
		return nil
	}
	var kept []string
	if want.MaxBytes > 0 && int64(have.State.Bytes) > want.MaxBytes {
		want.MaxBytes = have.Config.MaxBytes
		kept = append(kept, "bytes")
	}
	// A bound that is the same or higher drops nothing that was not due.
	lower := want.MaxAge > 0 && (have.Config.MaxAge == 0 || want.MaxAge < have.Config.MaxAge)
	if lower && now.Sub(have.State.FirstTime) > want.MaxAge {
		want.MaxAge = have.Config.MaxAge
		kept = append(kept, "age")
	}
	return kept
}
