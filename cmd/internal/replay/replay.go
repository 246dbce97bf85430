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
	Inputs    []Input
	Rules     *detect.RuleSet
	Playbooks []*respond.Playbook
	// Ceiling is the mode that no playbook exceeds.
	Ceiling event.Mode
	// Cluster is the name that the events get.
	Cluster string
	Logger  *slog.Logger
	// Explained, if set, is told of each event how the rules looked at it; of
	// those that the index passes over only where Every names them.
	Explained func(e *event.Event, at event.Address, x detect.Explanation)
	Every     func(rule string) bool
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
	m, err := merge(ctx, o.Inputs, o.Cluster)
	if err != nil {
		return err
	}
	defer m.spool.close()
	s := NewSession(o, to)
	s.resolve = m.resolve
	s.summary = Summary{Lines: m.counts.Lines, Blank: m.counts.Blank, Joined: m.counts.Joined, Rejected: m.counts.Rejected}
	if err := m.frames(func(f frame) error { return s.frame(ctx, f) }); err != nil {
		return err
	}
	return s.End(ctx)
}
