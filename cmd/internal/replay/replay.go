// Package replay puts the roles together without any stream or cluster: it
// reads events from files, folds them through the detectors on a virtual
// clock, groups what is found, and plans what the playbooks would do. It
// never acts. The same input gives the same output, to the byte.
package replay

import (
	"context"
	"log/slog"
	"time"

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

// maxComplaints bounds how often the log says that a rule can't be evaluated.
const maxComplaints = 20

// Replay reads all inputs to their end, then gives what is found to the sink.
func Replay(ctx context.Context, o Options, to Sink) error {
	m, err := merge(ctx, o.Inputs, o.Cluster)
	if err != nil {
		return err
	}
	defer m.spool.close()
	r := &replay{engine: detect.NewEngine(o.Rules, detect.EngineOptions{}), planner: newPlanner(o), to: to, logger: o.Logger, seen: map[string]bool{}, counts: map[string]event.FindingCount{}}
	r.summary = Summary{Lines: m.counts.Lines, Blank: m.counts.Blank, Joined: m.counts.Joined, Rejected: m.counts.Rejected}
	if err := m.frames(func(f frame) error { return r.frame(ctx, f) }); err != nil {
		return err
	}
	if err := r.end(ctx); err != nil {
		return err
	}
	return to.Summary(r.summary)
}

type replay struct {
	engine     *detect.Engine
	planner    *planner
	to         Sink
	logger     *slog.Logger
	summary    Summary
	seen       map[string]bool // finding ids
	found      []event.Finding
	counts     map[string]event.FindingCount
	now        time.Time
	sequence   uint64
	complaints int
}

func (r *replay) frame(ctx context.Context, f frame) error {
	r.sequence++
	events, rejected := 0, 0
	for _, it := range f.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if it.rejected {
			if err := r.to.Rejected(f.rejected[rejected]); err != nil {
				return err
			}
			rejected++
			continue
		}
		if err := r.event(ctx, &f.events[events], events); err != nil {
			return err
		}
		events++
	}
	r.count()
	return nil
}

// end lets the time go on behind the last event, as it does where nothing comes
// any more: what was not followed by something is due then. After that findings
// are counted no more.
func (r *replay) end(ctx context.Context) error {
	for at, more := r.engine.Next(); more; at, more = r.engine.Next() {
		if err := r.tick(ctx, at); err != nil {
			return err
		}
	}
	if err := r.tick(ctx, r.engine.End()); err != nil {
		return err
	}
	r.count()
	for _, f := range r.found {
		c, again := r.counts[f.ID]
		if !again || c.Count < 2 {
			continue
		}
		r.summary.Repeats += int(c.Count - 1) // #nosec G115 -- of events that were counted
		if err := r.to.Count(f, c); err != nil {
			return err
		}
	}
	return nil
}

// tick tells the time.
func (r *replay) tick(ctx context.Context, at time.Time) error {
	r.sequence++
	e := event.Control(event.VerbTick, at, event.HashID("tick", at.Format(time.RFC3339Nano)), nil)
	return r.fold(ctx, &e, 0)
}

// count keeps how often findings came so far.
func (r *replay) count() {
	for _, c := range r.engine.Counts() {
		r.counts[c.Finding] = c
	}
}

func (r *replay) event(ctx context.Context, e *event.Event, index int) error {
	r.summary.Events++
	return r.fold(ctx, e, index)
}

func (r *replay) fold(ctx context.Context, e *event.Event, index int) error {
	if e.Received.After(r.now) {
		r.now = e.Received
	}
	at := event.Address{Sequence: r.sequence, Index: index, ID: e.ID, From: e.From}
	findings, _, err := r.engine.Fold(e, at)
	if err != nil {
		r.complain(ctx, e, err)
	}
	for _, f := range findings {
		if r.seen[f.ID] {
			continue
		}
		r.seen[f.ID] = true
		if err := r.finding(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// complain logs what rules could not evaluate, a bounded number of times: one
// faulty rule would fail on every event.
func (r *replay) complain(ctx context.Context, e *event.Event, err error) {
	switch r.complaints++; {
	case r.complaints < maxComplaints:
		r.logger.WarnContext(ctx, "detect", "event", e.From, "error", err)
	case r.complaints == maxComplaints:
		r.logger.WarnContext(ctx, "detect: more of the same is not logged", "event", e.From, "error", err)
	}
}

func (r *replay) finding(ctx context.Context, f event.Finding) error {
	r.summary.Findings++
	r.found = append(r.found, event.Finding{ID: f.ID, Rule: f.Rule, Model: f.Model})
	if err := r.to.Finding(f); err != nil {
		return err
	}
	for _, run := range r.planner.runs(ctx, f, r.now) {
		r.summary.Runs++
		if err := r.to.Run(run); err != nil {
			return err
		}
	}
	return nil
}
