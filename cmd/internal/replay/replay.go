// Package replay puts the roles together without any stream or cluster: it
// reads events from files, folds them through the detectors on a virtual
// clock, groups what is found, and plans what the playbooks would do. It
// never acts. The same input gives the same output, to the byte.
package replay

import (
	"context"
	"log/slog"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// Options say what to replay through what.
type Options struct {
	Inputs []Input
	// Stream, if set, takes the place of the inputs: it gives frames of a stream
	// in order.
	Stream    func(ctx context.Context, yield func(sequence uint64, events []event.Event) error) error
	Rules     *detect.RuleSet
	Playbooks []*respond.Playbook
	// Ceiling is the mode that no playbook exceeds.
	Ceiling event.Mode
	// Cluster is the name that the events get.
	Cluster string
	// Live, if set, is the cluster that plans are made in: targets are looked up
	// there as they are now, and each write is sent as a dry run. Without one plans
	// are made of what the events say, and the same input gives the same output.
	Live   *Cluster
	Logger *slog.Logger
	// Progress, if set, is told now and then how far it is.
	Progress func(Progress)
	// Explained, if set, is told of each event how the rules looked at it, or of
	// those that Explaining names, as far as Extent goes. Explaining is asked before an
	// event is folded.
	Explained  func(e *event.Event, at event.Address, x detect.Explanation)
	Explaining func(e *event.Event, at event.Address) bool
	Extent     detect.Extent
	// Opened, if set, is given the engine of each session before any event, Read
	// when all were read, before the time goes on behind them.
	Opened func(g *detect.Engine)
	Read   func(g *detect.Engine) error
}

// Summary counts. Of the lines each is blank, joined to what began before it,
// rejected, or begins at least one event.
type Summary struct {
	Lines    int `json:"lines"`
	Blank    int `json:"blank"`
	Joined   int `json:"joined"`
	Events   int `json:"events"`
	Findings int `json:"findings"`
	Runs     int `json:"runs"`
	// Repeats is how often findings came again beside that, while their rules
	// counted them.
	Repeats int `json:"repeats"`
	// Rejected counts lines; one line can hold more than one reject, and a
	// reject beside an event doesn't make the line a rejected one.
	Rejected int `json:"rejected"`
}

// Sink takes what a replay finds, in stream order. An error ends the replay.
type Sink interface {
	Finding(f event.Finding) error
	Run(r Run) error
	Rejected(r event.Rejected) error
	// Count comes behind all of those, once for each finding that came more
	// than once, in the order of the findings; of f only id and rule or model
	// are there.
	Count(f event.Finding, c event.FindingCount) error
	// Summary comes last, once.
	Summary(s Summary) error
}

// Replay reads all inputs to their end, then gives what is found to the sink.
func Replay(ctx context.Context, o Options, to Sink) error {
	s := NewSession(o, to)
	if err := feed(ctx, o, s); err != nil {
		return err
	}
	return s.End(ctx)
}

// Feed gives all inputs to a session; see [Session.End].
func Feed(ctx context.Context, o Options, s *Session) error { return feed(ctx, o, s) }

// feed gives everything that is to be replayed to each of the sessions, step by
// step.
func feed(ctx context.Context, o Options, all ...*Session) error {
	if o.Stream != nil {
		return o.Stream(ctx, func(sequence uint64, events []event.Event) error {
			return each(all, func(s *Session) error { return s.Frame(ctx, sequence, events) })
		})
	}
	m, err := merge(ctx, o)
	if err != nil {
		return err
	}
	defer m.spool.close()
	for _, s := range all {
		s.resolve = m.resolve
		s.summary = Summary{Lines: m.counts.Lines, Blank: m.counts.Blank, Joined: m.counts.Joined, Rejected: m.counts.Rejected}
	}
	done := 0
	return m.frames(func(f frame) error {
		o.tell(Progress{Stage: "evaluated", Done: int64(done), Total: int64(len(m.items)), Events: done})
		done += len(f.items)
		return each(all, func(s *Session) error { return s.frame(ctx, f) })
	})
}

func each(all []*Session, do func(s *Session) error) error {
	for _, s := range all {
		if err := do(s); err != nil {
			return err
		}
	}
	return nil
}

// Progress is how far a replay is.
type Progress struct {
	// Stage is read or evaluated. Done counts bytes that are read, or events and
	// rejects that are evaluated; Total is 0 when it is not known.
	Stage       string
	Done, Total int64
	// Events is how many events there were so far in this stage.
	Events int
}

func (o *Options) tell(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}
