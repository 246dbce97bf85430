package replay

import (
	"context"
	"log/slog"
	"time"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/event"
)

// maxComplaints bounds how often the log says that a rule can't be evaluated.
const maxComplaints = 20

// Session is rules and playbooks that are given one event after the other. It
// is used by one goroutine.
type Session struct {
	o          Options
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
	// resolve, if set, says which events are at places of which detectors
	// remember no more.
	resolve func([]event.Address) error
}

// NewSession begins with nothing remembered. Of the options it uses all but the
// inputs.
func NewSession(o Options, to Sink) *Session {
	s := &Session{
		o: o, engine: detect.NewEngine(o.Rules, detect.EngineOptions{}), planner: newPlanner(o), to: to, logger: o.Logger,
		seen: map[string]bool{}, counts: map[string]event.FindingCount{},
	}
	if o.Opened != nil {
		o.Opened(s.engine)
	}
	return s
}

// frame takes events and rejects as they lie in files.
func (s *Session) frame(ctx context.Context, f frame) error {
	s.sequence++
	events, rejected := 0, 0
	for _, it := range f.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if it.rejected {
			if err := s.to.Rejected(f.rejected[rejected]); err != nil {
				return err
			}
			rejected++
			continue
		}
		if err := s.event(ctx, &f.events[events], events); err != nil {
			return err
		}
		events++
	}
	s.count()
	return nil
}

// Frame takes the events of one frame of a stream. Those that put other rules in
// the place of those there are, and that switch one off, are passed over: the
// session has the rules that it was given.
func (s *Session) Frame(ctx context.Context, sequence uint64, events []event.Event) error {
	s.sequence = sequence
	for i := range events {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := &events[i]
		if e.Source == event.SourceControl && (e.Verb == event.VerbRules || e.Verb == event.VerbSwitchOff) {
			continue
		}
		if err := s.event(ctx, e, i); err != nil {
			return err
		}
	}
	s.count()
	return nil
}

// Now is the newest time at which an event was received.
func (s *Session) Now() time.Time { return s.now }

// Finding takes one that a detector could have found.
func (s *Session) Finding(ctx context.Context, f event.Finding) error {
	if f.Received.After(s.now) {
		s.now = f.Received
	}
	return s.finding(ctx, f)
}

// End lets the time go on until nothing more can be due, and gives the sink the
// counts and the summary.
func (s *Session) End(ctx context.Context) error {
	if err := s.end(ctx); err != nil {
		return err
	}
	return s.to.Summary(s.summary)
}

// end lets the time go on behind the last event, as it does where nothing comes
// any more: what was not followed by something is due then. After that findings
// are counted no more.
func (s *Session) end(ctx context.Context) error {
	if s.o.Read != nil {
		if err := s.o.Read(s.engine); err != nil {
			return err
		}
	}
	for at, more := s.engine.Next(); more; at, more = s.engine.Next() {
		if err := s.tick(ctx, at); err != nil {
			return err
		}
	}
	if err := s.tick(ctx, s.engine.End()); err != nil {
		return err
	}
	s.count()
	for _, f := range s.found {
		c, again := s.counts[f.ID]
		if !again || c.Count < 2 {
			continue
		}
		s.summary.Repeats += int(c.Count - 1) // #nosec G115 -- of events that were counted
		if err := s.to.Count(f, c); err != nil {
			return err
		}
	}
	return nil
}

// tick tells the time.
func (s *Session) tick(ctx context.Context, at time.Time) error {
	s.sequence++
	e := event.Control(event.VerbTick, at, event.HashID("tick", at.Format(time.RFC3339Nano)), nil)
	return s.fold(ctx, &e, 0)
}

// count keeps how often findings came so far.
func (s *Session) count() {
	for _, c := range s.engine.Counts() {
		s.counts[c.Finding] = c
	}
}

func (s *Session) event(ctx context.Context, e *event.Event, index int) error {
	s.summary.Events++
	return s.fold(ctx, e, index)
}

func (s *Session) fold(ctx context.Context, e *event.Event, index int) error {
	if e.Received.After(s.now) {
		s.now = e.Received
	}
	at := event.Address{Sequence: s.sequence, Index: index, ID: e.ID, From: e.From}
	findings, err := s.ask(e, at)
	if err != nil {
		s.complain(ctx, e, err)
	}
	for _, f := range findings {
		if s.seen[f.ID] {
			continue
		}
		s.seen[f.ID] = true
		if err := s.finding(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// ask folds an event, and tells how if somebody wants to know.
func (s *Session) ask(e *event.Event, at event.Address) ([]event.Finding, error) {
	explain := s.o.Explaining == nil || s.o.Explaining(e, at)
	if !explain || s.o.Explained == nil {
		findings, _, err := s.engine.Fold(e, at)
		return findings, err
	}
	x := s.engine.Explain(e, at, s.o.Extent)
	s.o.Explained(e, at, x)
	return x.Findings, x.Err
}

// complain logs what rules could not evaluate, a bounded number of times: one
// faulty rule would fail on every event.
func (s *Session) complain(ctx context.Context, e *event.Event, err error) {
	switch s.complaints++; {
	case s.complaints < maxComplaints:
		s.logger.WarnContext(ctx, "detect", "event", e.From, "error", err)
	case s.complaints == maxComplaints:
		s.logger.WarnContext(ctx, "detect: more of the same is not logged", "event", e.From, "error", err)
	}
}

func (s *Session) finding(ctx context.Context, f event.Finding) error {
	s.summary.Findings++
	if s.resolve != nil {
		if err := s.resolve(f.Events); err != nil {
			return err
		}
	}
	s.found = append(s.found, event.Finding{ID: f.ID, Rule: f.Rule, Model: f.Model})
	if err := s.to.Finding(f); err != nil {
		return err
	}
	for _, run := range s.planner.runs(ctx, f, s.now) {
		s.summary.Runs++
		if err := s.to.Run(run); err != nil {
			return err
		}
	}
	return nil
}
