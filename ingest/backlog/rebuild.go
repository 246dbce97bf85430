package backlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// samples is how many frames are looked at after a start.
const samples = 32

// rebuild estimates what is unread, and of whom, by samples: what was put
// before this process began is not known otherwise.
func (b *Backlog) rebuild(ctx context.Context, p bus.Progress) (sections, error) {
	first := max(p.First, p.Read+1)
	if p.Messages == 0 || first > p.Last {
		return nil, nil
	}
	count := p.Last - first + 1
	n := min(count, samples)
	var s sections
	for i := range n {
		after, upTo := first-1+count*i/n, first-1+count*(i+1)/n
		bytes, err := b.sample(ctx, upTo)
		if err != nil {
			return nil, fmt.Errorf("estimate what is unread: %w", err)
		}
		for name := range bytes {
			bytes[name] *= int64(upTo - after)
		}
		s = s.add(upTo, after, bytes)
	}
	// However wrong the samples, no more is unread than there is.
	if all := total(s.weigh(p.Read)); all > int64(p.Bytes) {
		for i := range s {
			for name := range s[i].bytes {
				s[i].bytes[name] = int64(float64(s[i].bytes[name]) * float64(p.Bytes) / float64(all))
			}
		}
	}
	return s, nil
}

// sample is what the sources have put into one frame.
func (b *Backlog) sample(ctx context.Context, sequence uint64) (map[string]int64, error) {
	m, err := b.o.Stream.At(ctx, bus.Events, sequence)
	if errors.Is(err, bus.ErrNotFound) {
		return map[string]int64{}, nil // it went meanwhile
	}
	if err != nil {
		return nil, err
	}
	bytes := map[string]int64{}
	events, err := event.DecodeFrame(m.Data)
	if err != nil || len(events) == 0 {
		return map[string]int64{other: int64(len(m.Data))}, nil // somebody else's; the detector says what is wrong
	}
	for i := range events {
		bytes[b.sourceOf(&events[i])] += int64(len(m.Data) / len(events))
	}
	return bytes, nil
}

// sourceOf finds who put an event: the posted ones begin with the name of the
// source, of the others the kind must do.
func (b *Backlog) sourceOf(e *event.Event) string {
	if name, rest, ok := strings.Cut(e.From, " "); ok && strings.HasPrefix(rest, "http ") && b.o.Sources[name] != "" {
		return name
	}
	for _, name := range slices.Sorted(maps.Keys(b.o.Sources)) {
		if b.o.Sources[name] == e.Source {
			return name
		}
	}
	return other
}
