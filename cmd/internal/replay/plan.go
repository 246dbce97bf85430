package replay

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// maxMoves bounds a run: each step is planned once, or a few times after a
// failure that could pass.
const maxMoves = 10_000

// Run is what a run would do.
type Run struct {
	event.Run
	// Would is the mode that the run would have had; it was moved in mode
	// observe.
	Would event.Mode
	// Verdicts are one for each step, see [Verdict].
	Verdicts []Verdict
	// Live says that it was planned in a cluster.
	Live bool
}

// Verdict is what would become of a step: the strongest decision of its
// guards and of the run's mode (pass, ask, wait, deny), or skipped, or failed
// where there is no plan.
type Verdict struct {
	Decision string
	Reason   string
}

// The verdicts of steps that have no plan, or that their condition left out.
const (
	verdictSkipped = "skipped"
	verdictFailed  = "failed"
	// What became of a step with for_each: the steps behind it.
	verdictExpanded = "expanded"
)

// planner turns findings into runs, and moves them as far as plans go.
type planner struct {
	books     []*respond.Playbook
	ceiling   event.Mode
	executor  *respond.Executor
	incidents *incidents
	logger    *slog.Logger
	begun     map[string]bool
	// live is the cluster in which targets are looked up; nil is none.
	live action.Cluster
	// importance is what the config says of an object; nil is nothing.
	importance func(event.Ref) event.Importance
}

func newPlanner(o Options) *planner {
	p := &planner{books: o.Playbooks, ceiling: o.Ceiling, incidents: newIncidents(), begun: map[string]bool{}, logger: o.Logger}
	if o.Live == nil {
		p.executor = &respond.Executor{
			Deps:   action.Deps{Cluster: action.Offline{}, Logger: o.Logger, Offline: true},
			Guards: guard.New(guard.Options{Control: control{o.Ceiling}, Cluster: action.Offline{}}),
		}
		return p
	}
	p.executor, p.importance = o.Live.executor(o), o.Live.importance
	p.live = p.executor.Deps.Cluster
	return p
}

// control never holds anything back.
type control struct{ ceiling event.Mode }

func (control) Paused(context.Context) (bool, string, error)  { return false, "", nil }
func (c control) Ceiling(context.Context) (event.Mode, error) { return c.ceiling, nil }

// runs begins a run for each playbook that applies to the finding and has none
// for its incident and target yet; one that a silence matches disturbs nobody.
func (p *planner) runs(ctx context.Context, f event.Finding, now time.Time) []Run {
	if f.Silence != "" {
		return nil
	}
	shown, importance := f.Subject.Labels, event.ImportanceNormal
	f.Subject = p.target(ctx, f)
	if p.importance != nil {
		subject := f.Subject
		subject.Labels = shown
		importance = p.importance(subject)
	}
	incident := p.incidents.add(f, importance)
	var runs []Run
	for _, book := range p.books {
		applies, err := book.Applies(respond.EnvFor(f, incident, f.Subject))
		if err != nil {
			p.logger.WarnContext(ctx, "playbook condition", "playbook", book.Name, "finding", f.ID, "error", err)
			continue
		}
		if !applies {
			continue
		}
		run := respond.Begin(book, incident, f, f.Subject, p.ceiling, now)
		if p.begun[run.ID] {
			continue
		}
		p.begun[run.ID] = true
		runs = append(runs, p.plan(ctx, book, run, now))
	}
	return runs
}

// target is what the live responder would look up by the finding's subject,
// as far as the finding itself says it, or, in a cluster, as that has it now. What
// is not there any more has no UID, and no plan.
func (p *planner) target(ctx context.Context, f event.Finding) event.Ref {
	t := f.Subject
	if p.live != nil {
		live, err := respond.Resolve(ctx, p.live, f)
		if err != nil && !errors.Is(err, respond.ErrNoTarget) {
			p.logger.WarnContext(ctx, "look up target", "target", t.String(), "error", err)
		}
		t = live
	}
	t.Subresource, t.Labels = "", nil
	switch {
	case t.IsPod():
		t.Kind = "Pod"
	case t.IsNode():
		t.Kind = "Node"
	}
	return t
}

// plan moves a run in mode observe until nothing but inputs would move it.
func (p *planner) plan(ctx context.Context, book *respond.Playbook, run event.Run, now time.Time) Run {
	would := run.Mode
	run.Mode = event.ModeObserve
	if would != event.ModeObserve {
		under := *book
		under.Mode, book = would, &under // whom it would ask is by the mode that it would have
	}
	for range maxMoves {
		effect, wake := respond.Due(book, run, now)
		switch {
		case effect != nil && effect.Kind == respond.EffectTargets:
			targets := p.executor.Targets(ctx, book, run, effect.Step)
			run = respond.Next(book, run, respond.Input{Targets: &targets}, now)
			continue
		case effect != nil && effect.Kind == respond.EffectPlan:
			planned := p.executor.Plan(ctx, book, run, effect.Step, now)
			run = respond.Next(book, run, respond.Input{Planned: &planned}, now)
			continue
		case effect == nil && wake.After(now):
			now = wake
			continue
		}
		break
	}
	out := Run{Run: run, Would: would, Live: p.live != nil}
	for i, s := range run.Steps {
		out.Verdicts = append(out.Verdicts, verdict(book.StepOf(run, i), s, would))
	}
	return out
}

// verdict adds what the mode would have said to what the guards say.
func verdict(step respond.PlaybookStep, s event.Step, would event.Mode) Verdict {
	switch s.State {
	case event.StepSkipped, event.StepPending:
		return Verdict{Decision: verdictSkipped, Reason: s.Error}
	case event.StepFailed:
		return Verdict{Decision: verdictFailed, Reason: s.Error}
	case event.StepExpanded:
		return Verdict{Decision: verdictExpanded, Reason: s.Error}
	}
	verdicts := s.Verdicts
	add := func(guard, reason string) {
		verdicts = append(verdicts[:len(verdicts):len(verdicts)], event.Verdict{Guard: guard, Decision: event.Ask, Reason: reason})
	}
	switch {
	case would == event.ModeAsk && step.Effect():
		add("mode", "ask")
	case s.Asks != "":
		add("at_most", s.Asks)
	case step.Approve != nil:
		add("approve", "the playbook asks people of this step")
	}
	decision, reason := respond.Strongest(verdicts)
	return Verdict{Decision: string(decision), Reason: reason}
}
