package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/cmd/internal/replay"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// streamed are the flags that say what of a running Firebreak's stream of
// events is meant.
type streamed struct {
	connection
	since, until string
}

func (s *streamed) flags(cmd *cobra.Command) {
	s.connection.flags(cmd)
	cmd.Flags().StringVar(&s.since, "since", "", "events of a running Firebreak, from a time on: 24h, 7d, 2026-01-31 or 2026-01-31T18:00:00Z")
	cmd.Flags().StringVar(&s.until, "until", "", "up to a time, as --since")
}

// span is the range of the flags.
func (s *streamed) span(now time.Time) (client.Span, error) {
	var span client.Span
	var err error
	if span.Since, err = moment("--since", s.since, now); err != nil {
		return span, err
	}
	if s.until != "" {
		if span.Until, err = moment("--until", s.until, now); err != nil {
			return span, err
		}
		if !span.Since.Before(span.Until) {
			return span, errors.New("--until is not after --since")
		}
	}
	return span, nil
}

// moment reads a time, a day, or how long ago.
func moment(flag, text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	ago, err := conf.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %q is none of 24h, 7d, 2026-01-31, 2026-01-31T18:00:00Z", flag, text)
	}
	return now.Add(-ago), nil
}

// frames gives what the flags name to a replay, with its progress.
func (s *streamed) frames(o *replay.Options, span client.Span) error {
	api, err := s.connect()
	if err != nil {
		return err
	}
	o.Inputs = nil
	o.Stream = func(ctx context.Context, yield func(uint64, []event.Event) error) error {
		first, events := uint64(0), 0
		return api.Events(ctx, span, func(f approve.Frame, last uint64) error {
			if first == 0 {
				first = f.Sequence
			}
			if events += len(f.Events); o.Progress != nil {
				done, total := f.Sequence-first+1, last-first+1
				if !span.Until.IsZero() {
					total = 0 // nobody knows where that is
				}
				o.Progress(replay.Progress{Stage: "evaluated", Done: int64(done), Total: int64(total), Events: events}) // #nosec G115 -- of one stream
			}
			return yield(f.Sequence, f.Events)
		})
	}
	return nil
}

// streamPlace is SEQUENCE/INDEX, findingID the id of a finding.
var (
	streamPlace = regexp.MustCompile(`^([0-9]{1,18})/[0-9]{1,9}$`)
	findingID   = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// around is what of the stream has to be replayed to explain something: what is
// before it as long as the flags say. Of a finding it gives that, too.
func (s *streamed) around(ctx context.Context, what string, before time.Duration) (client.Span, *event.Finding, error) {
	api, err := s.connect()
	if err != nil {
		return client.Span{}, nil, err
	}
	first, last := uint64(0), uint64(0)
	var finding *event.Finding
	if m := streamPlace.FindStringSubmatch(what); m != nil {
		if first, err = strconv.ParseUint(m[1], 10, 64); err != nil {
			return client.Span{}, nil, err
		}
		last = first
	} else if findingID.MatchString(what) {
		found, err := api.Finding(ctx, what)
		if err != nil {
			return client.Span{}, nil, err
		}
		finding = &found.Finding
		for _, at := range finding.Events {
			if first == 0 || at.Sequence < first {
				first = at.Sequence
			}
			last = max(last, at.Sequence)
		}
	}
	if first == 0 {
		return client.Span{}, nil, errors.New("without files, say which with the id of a finding or SEQUENCE/INDEX, or --since")
	}
	var stored time.Time
	err = api.Events(ctx, client.Span{From: first, Limit: 1}, func(f approve.Frame, _ uint64) error {
		if f.Sequence != first {
			return fmt.Errorf("frame %d is not in the stream any more", first)
		}
		stored = f.Stored
		return nil
	})
	if err == nil && stored.IsZero() {
		err = fmt.Errorf("frame %d is not in the stream", first)
	}
	return client.Span{Since: stored.Add(-before), To: last}, finding, err
}
