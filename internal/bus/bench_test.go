package bus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// BenchmarkPublish stores frames of events of 1 KiB, synced, one after the
// other.
func BenchmarkPublish(b *testing.B) {
	one := fmt.Appendf(nil, `{"id":"x","message":%q}`, strings.Repeat("x", 1000))
	for _, n := range []int{1, 50, 400} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			bus := open(b, b.TempDir())
			events := make([][]byte, n)
			for i := range events {
				events[i] = one
			}
			frame := event.EncodeFrame(events)
			ctx := b.Context()
			for b.Loop() {
				if _, err := bus.Publish(ctx, SubjectEvents, frame); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(frame)))
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkAppend is one transition of a run of 4 KiB.
func BenchmarkAppend(b *testing.B) {
	bus := open(b, b.TempDir())
	record, last := make([]byte, 4<<10), uint64(0)
	for b.Loop() {
		seq, err := bus.Append(b.Context(), SubjectRun("r"), record, last)
		if err != nil {
			b.Fatal(err)
		}
		last = seq
	}
}

// BenchmarkRead reads a stream of 500 frames of 50 KiB from its beginning.
func BenchmarkRead(b *testing.B) {
	bus := open(b, b.TempDir())
	const frames, size = 500, 50 << 10
	for range frames {
		if _, err := bus.Publish(b.Context(), SubjectEvents, make([]byte, size)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(frames * size)
	for b.Loop() {
		r, err := bus.Read(b.Context(), Events, 1)
		if err != nil {
			b.Fatal(err)
		}
		for range frames {
			if _, err := r.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		r.Close(b.Context())
	}
}
