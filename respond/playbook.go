package respond

import (
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// Playbook is what to do when: one YAML document, checked and compiled. It is
// not changed after it was loaded and may be used concurrently.
type Playbook struct {
	Name  string
	Title string
	// Text is the document that it was loaded from, and Version its digest.
	// The step groups that it uses stand behind it in Text.
	Text, Version string
	Mode          event.Mode
	// Order is where it stands among the playbooks for one incident, lowest
	// first; those of one order go by their names.
	Order int
	// Timeout is how long a run has until all its effects have begun; 0 is no
	// limit. What has not begun then is left out.
	Timeout time.Duration
	Approve Approve
	Steps   []PlaybookStep

	when func(Env) (bool, error)
	// written is the condition as it stands in the document.
	written conf.Expression
}

// Condition is the playbook's condition in its parts, for who says how far a
// finding got in it. They are evaluated with an [Env].
func (p *Playbook) Condition() (*conf.Condition, error) {
	return p.written.Conditions(Env{}, conf.Taking{Funcs: functions()})
}

// Approve says who decides on a playbook's effects.
type Approve struct {
	// By are user/NAME and group/NAME; empty leaves it to cluster RBAC alone.
	By []string
	// Need is how many different people must say yes.
	Need int
	// Within is how long they have. Nobody's answer is a no.
	Within time.Duration
	// Explain says that a decision needs a reason.
	Explain bool
	// Page says that people are paged when nobody decided in time.
	Page bool
	// NoChat says that a yes in a chat does not count: it takes the command line
	// or the page.
	NoChat bool
	// Levels are for incidents of at least their priority, the lowest first.
	Levels []ApproveLevel
}

// ApproveLevel is who decides from a priority on.
type ApproveLevel struct {
	Priority event.Severity
	Approve  Approve
}

// at is what counts for a priority.
func (a Approve) at(priority event.Severity) Approve {
	out := a
	for _, l := range a.Levels {
		if priority.Rank() >= l.Priority.Rank() {
			out = l.Approve
		}
	}
	out.Levels = nil
	return out
}

// OnFailure says what becomes of a run when a step fails.
type OnFailure string

// The choices on failure. Steps that only tell people go on in any case.
const (
	OnFailureStop     OnFailure = "stop"
	OnFailureContinue OnFailure = "continue"
	OnFailureUndo     OnFailure = "undo"
)

// Retry says how often a step is tried, and how long it waits first; the wait
// doubles up to 30 s.
type Retry struct {
	Attempts int
	Backoff  time.Duration
}

// PlaybookStep is one step of a playbook. A step of a group that it uses is
// one of its own.
type PlaybookStep struct {
	Name, Action string
	Kind         action.Kind
	// After are the places of the steps that come right before it; nil stands
	// for the one before it in the list.
	After []int
	// Approve is who decides on this step, in every mode; nil leaves it to the
	// playbook.
	Approve *Approve
	// Each says that it becomes a step for each of its targets. More than
	// AtMost of them are only done after people were asked.
	Each   bool
	AtMost int
	// UndoAfter is how long an effect holds, AtEnd what happens then.
	UndoAfter time.Duration
	AtEnd     event.AtEnd
	OnFailure OnFailure
	Retry     Retry
	// Timeout bounds one attempt.
	Timeout time.Duration

	when func(Env) (bool, error)
	with func(Env) (any, error)
	// targets gives what the step is about; nil is the run's target.
	targets func(Env) ([]event.Ref, error)
	// params gives the parameters of the group that the step is of, and scope
	// begins the names of the group's steps.
	params func(Env) (map[string]any, error)
	scope  string
	// reads are the steps that its condition asks about; early says that it asks
	// about none, and so can be decided before any step has moved.
	reads []string
	early bool
	// uses are the steps that its parameters ask about.
	uses []string
	// spec is how it is written, and doc and at where.
	spec *oneSpec
	doc  *conf.Document
	at   string
}

// Applies says whether the playbook is for this finding.
func (p *Playbook) Applies(env Env) (bool, error) { return met(p.when, env) }

// Conditional says that the step has a condition.
func (s PlaybookStep) Conditional() bool { return s.when != nil }

// Place is where the step is written; empty when it is not known.
func (s PlaybookStep) Place() (file string, line int) {
	if s.doc == nil {
		return "", 0
	}
	at := s.doc.Errorf(s.at, "")
	return at.File, at.Line
}

// Effect says that the step changes something, rather than tell somebody.
func (s PlaybookStep) Effect() bool { return s.Kind.Class == action.Effect }

// Holds says that the step's effect is undone when its time is up.
func (s PlaybookStep) Holds() bool { return s.Effect() && s.Kind.Reversible }

// Met says whether the step's condition is met; a step without one always is.
func (s PlaybookStep) Met(env Env) (bool, error) { return met(s.when, env) }

// Config gives the action's typed parameters, with their expressions
// evaluated.
func (s PlaybookStep) Config(env Env) (any, error) {
	if s.with == nil {
		return s.Kind.Config(), nil
	}
	return s.with(env)
}

// Of is the playbook's step that a step of a run is, or is one of.
func (p *Playbook) Of(s event.Step) (step PlaybookStep, place int, found bool) {
	name := s.Name
	if s.Of != "" {
		name = s.Of
	}
	for i, step := range p.Steps {
		if step.Name == name {
			return step, i, true
		}
	}
	return PlaybookStep{}, -1, false
}

// StepOf is the playbook's step that step i of a run is, or is one of.
func (p *Playbook) StepOf(run event.Run, i int) PlaybookStep {
	step, _, _ := p.Of(run.Steps[i])
	return step
}

func met(condition func(Env) (bool, error), env Env) (bool, error) {
	if condition == nil {
		return true, nil
	}
	return condition(env)
}
