package ingest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/ingest/summary"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Volume is the part of a source's configuration that says which of its events
// are stored one by one, and whether its lines are summarised. A configuration
// embeds it:
//
//	Volume `yaml:",inline"`
//
// What is stored is durable when it is accepted. What the filter leaves out is
// accepted once it is counted, in memory: a process that is killed (kill -9,
// power) loses what was counted and not stored, at most the interval, its delay
// and the second until it is written. A reader of files loses nothing then: it
// reads those lines again, and so counts those of up to two intervals again. An
// orderly stop stores all counts.
type Volume struct {
	// Store is an expression over an event, with the names that rules use;
	// events for which it is false are counted and not stored. Without one
	// everything is stored. An event for which it can't be evaluated is stored.
	Store conf.Expression `yaml:"store" json:"store,omitzero"`
	// Summarise, if set, counts all lines, stored or not, by writer and
	// interval, and stores the counts.
	Summarise *summary.Config `yaml:"summarise" json:"summarise,omitempty"`
}

// thins is a configuration that a [Volume] is part of.
type thins interface{ volume() *Volume }

// volume gives the part to [Open], whatever the configuration's type.
func (v *Volume) volume() *Volume { return v }

// CheckVolume says what of the volume part of a source's configuration could
// not be used. A problem of the filter is a [*conf.Error] with its place.
func CheckVolume(k Kind, config any) error {
	v := volumeOf(config)
	if v.Summarise != nil {
		if k.Source != event.SourceLog {
			return errors.New("summarise: only log lines are summarised")
		}
		if err := v.Summarise.Check(); err != nil {
			return fmt.Errorf("summarise: %w", err)
		}
	}
	_, err := v.program()
	return err
}

// FilterOf is the filter of a source's configuration; it is zero where there is
// none.
func FilterOf(config any) conf.Expression { return volumeOf(config).Store }

// SummariesOf says how the lines of a source are summarised; nil where they are
// not.
func SummariesOf(config any) *summary.Config { return volumeOf(config).Summarise }

func volumeOf(config any) *Volume {
	if t, ok := config.(thins); ok {
		return t.volume()
	}
	return &Volume{}
}

// program is the compiled filter, or nil.
func (v *Volume) program() (*conf.Program, error) {
	if v.Store.IsZero() {
		return nil, nil
	}
	return v.Store.Compile(event.Event{}, conf.Bool)
}

// openThrough opens a source with a sink of its own: enrichment, then filter
// and summaries, then the sink of all.
func openThrough(k Kind, d Deps, config any) (Source, error) {
	t, err := newThinner(k, d, volumeOf(config))
	if err != nil {
		return Source{}, err
	}
	if t != nil {
		d.Sink = t
	}
	if d.Enrich != nil {
		d.Sink = d.Enrich(d.Sink)
	}
	s, err := k.Open(d, config)
	if err != nil {
		return Source{}, err
	}
	for i := range s.Endpoints {
		if s.Endpoints[i].Sink == nil {
			s.Endpoints[i].Sink = d.Sink
		}
	}
	if t != nil && t.table != nil {
		s.Run = t.around(s.Run)
	}
	return s, nil
}

// newThinner makes the sink of a source that has a filter or summaries, or nil.
func newThinner(k Kind, d Deps, v *Volume) (*thinner, error) {
	if err := CheckVolume(k, v); err != nil {
		return nil, err
	}
	filter, err := v.program()
	if err != nil || filter == nil && v.Summarise == nil {
		return nil, err
	}
	t := &thinner{inner: d.Sink, source: k.Source, filter: filter, metrics: d.Metrics, logger: d.Logger, now: d.Now}
	t.defaults()
	if v.Summarise != nil {
		t.table = summary.NewTable(k.Source, *v.Summarise, rand.Text())
		t.seen = newSeen(rememberedIDs)
	}
	return t, nil
}

// around runs a source and stores what is due; when the source has ended it
// stores what is left.
func (t *thinner) around(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		inner, cancel := context.WithCancel(ctx)
		stopped := make(chan struct{})
		go func() { defer close(stopped); t.keep(inner) }()
		var err error
		if run == nil {
			<-ctx.Done()
		} else {
			err = run(ctx)
		}
		cancel()
		<-stopped
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return errors.Join(err, t.stop(last))
	}
}
