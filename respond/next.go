package respond

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Bounds of a run's patience.
const (
	maxConflicts = 5
	waitForPause = time.Second
	waitForSight = 5 * time.Second
	maxBackoff   = 30 * time.Second
)

// Input is what moves a run: exactly one field beside Sequence and Denied is set. Targets,
// Planned, Done and Undone report an effect, Person what somebody said, Tick
// that time has passed.
type Input struct {
	Targets *Targets
	Planned *Planned
	Done    *Done
	Undone  *Done
	Person  *event.Input
	// Marked reports that the object shows the new end of its hold, Lost that a
	// hold was found taken off, Reset that it was set again.
	Marked *Done
	Lost   *Lost
	Reset  *Done
	// Sequence is the person's input's in the INPUTS stream, Denied are those whom
	// runs lock out then: nothing that these say counts.
	Sequence uint64
	Denied   []event.Identity
	Tick     bool
}

// Targets reports what a step with target or for_each is about.
type Targets struct {
	Step int
	Refs []event.Ref
	// Note says what was left out.
	Note    string
	Failure Failure
	Error   string
}

// Planned reports a plan and what the guards say of it, or why there is none.
type Planned struct {
	Step int
	// With are the parameters that the plan was made with.
	With     json.RawMessage
	Plan     event.Plan
	Digest   string
	Verdicts []event.Verdict
	// Reserved is the place in the budgets that was taken for the effect.
	Reserved *event.Reservation
	// Follows says that the step's turn came with its first plan: the intent
	// follows in the same record.
	Follows bool
	Failure Failure
	Error   string
}

// Done reports how an effect, or the undo of one, ended.
type Done struct {
	Step    int
	Receipt event.Receipt
	Failure Failure
	Error   string
}

// Failure is how an effect failed, as far as a run's moves care.
type Failure string

// The failures. The empty one is success.
const (
	// FailedConflict: the object changed since the plan; plan again.
	FailedConflict Failure = "conflict"
	// FailedGone: the target no longer exists, or is another object now.
	FailedGone Failure = "gone"
	// FailedFinal: trying again can't help (a missing permission, a refusal).
	FailedFinal Failure = "final"
	// FailedHeld: a guard stands against it now, and nothing was sent.
	FailedHeld Failure = "held"
	// FailedUnseen: a guard stands against it now, and whether it was sent before
	// can't be read. The intent waits as it is.
	FailedUnseen Failure = "unseen"
	// FailedForeign: somebody else changed since what would be written; nothing
	// was, and people are asked.
	FailedForeign Failure = "foreign"
	// FailedRetry: it may work later, and may have had its effect already.
	FailedRetry Failure = "retry"
)

// Next moves a run by one input. It is pure: no clock, no I/O; the run that
// is passed in is not changed. An input that the run's state has no use for
// changes nothing but the sequence of the last input consumed. What the new
// state asks for is what [Due] says.
func Next(book *Playbook, before event.Run, in Input, now time.Time) event.Run {
	run := clone(before)
	m := move{book: book, run: &run, now: now}
	switch {
	case run.State.Terminal():
	case in.Targets != nil && m.valid(in.Targets.Step):
		m.targets(*in.Targets)
	case in.Planned != nil && m.valid(in.Planned.Step):
		m.planned(*in.Planned)
		if in.Planned.Follows {
			if m.settle(); !m.run.State.Terminal() && slices.Contains(m.turns().ready, in.Planned.Step) {
				m.planned(*in.Planned)
			}
		}
	case in.Done != nil && m.valid(in.Done.Step):
		m.done(*in.Done)
	case in.Undone != nil && m.valid(in.Undone.Step):
		m.undone(*in.Undone)
	case in.Marked != nil && m.valid(in.Marked.Step):
		m.marked(*in.Marked)
	case in.Lost != nil && m.valid(in.Lost.Step):
		m.lost(*in.Lost)
	case in.Reset != nil && m.valid(in.Reset.Step):
		m.reset(*in.Reset)
	case in.Person != nil && in.Sequence > run.Input:
		m.person(*in.Person, in.Denied)
	}
	if in.Person != nil {
		run.Input = max(run.Input, in.Sequence)
	}
	m.settle()
	if reflect.DeepEqual(run, before) {
		return before
	}
	run.Updated = now
	return run
}

// clone copies what Next may write to.
func clone(run event.Run) event.Run {
	run.Steps = append([]event.Step(nil), run.Steps...)
	if run.Approval != nil {
		a := *run.Approval
		a.Votes = append([]event.Vote(nil), a.Votes...)
		run.Approval = &a
	}
	return run
}

// move is one application of Next.
type move struct {
	book *Playbook
	run  *event.Run
	now  time.Time
}

func (m move) valid(i int) bool {
	if i < 0 || i >= len(m.run.Steps) {
		return false
	}
	_, _, found := m.book.Of(m.run.Steps[i])
	return found
}

// step is the playbook's step that step i of the run is, or is one of.
func (m move) step(i int) PlaybookStep { return m.book.StepOf(*m.run, i) }

// planned takes a plan in: while guarding it is only noted; otherwise an
// effect follows at once when nothing stands against it.
func (m move) planned(p Planned) {
	s := &m.run.Steps[p.Step]
	if s.State != event.StepPending && s.State != event.StepPlanned {
		return
	}
	if p.Failure != "" {
		m.failed(p.Step, p.Failure, p.Error)
		return
	}
	decision, reason := Strongest(p.Verdicts)
	first := s.State == event.StepPending
	if !first && decision == event.Wait && s.Error == reason && s.Digest == p.Digest {
		// It waits for the same thing still. A record each second of a long
		// pause would fill the log.
		return
	}
	s.Plan, s.With, s.Digest, s.Verdicts, s.Error, s.NotBefore = &p.Plan, p.With, p.Digest, p.Verdicts, "", nil
	s.State = event.StepPlanned
	if first || m.run.State == event.RunGuarding {
		// A wait only holds back effects.
		if decision == event.Deny {
			m.refuse(p.Step, reason)
		}
		return
	}
	switch {
	case decision == event.Deny:
		m.refuse(p.Step, reason)
	case decision == event.Wait:
		m.later(s, waitForPause)
		s.Error = reason
	case m.needsApproval(p.Step) && s.Approved == "":
		m.void(reason)
	case m.needsApproval(p.Step) && s.Approved != s.Digest:
		m.void("the plan is not the one that was approved")
	case m.needsApproval(p.Step) && s.Yes < event.People(s.Verdicts):
		m.void(fmt.Sprintf("it takes %d people now", event.People(s.Verdicts)))
	default:
		s.State, s.Begun, s.Reserved = event.StepIntent, true, p.Reserved
		s.Attempts++
	}
}

// refuse takes a guard's no. It ends the run's effects, but for a step that
// others need not wait for: one that may fail, or that is only for the case
// that another one ends in some way.
func (m move) refuse(i int, reason string) {
	s, step, first := &m.run.Steps[i], m.step(i), m.run.State == event.RunGuarding
	m.abandon(i, event.StepDenied, reason)
	if step.OnFailure == OnFailureContinue || first && len(step.reads) > 0 {
		return
	}
	m.stop(event.RunDenied, fmt.Sprintf("step %s: %s", s.Name, reason))
}

func (m move) later(s *event.Step, d time.Duration) {
	at := m.now.Add(d)
	s.NotBefore = &at
}

// done takes the end of an effect in.
func (m move) done(d Done) {
	s := &m.run.Steps[d.Step]
	if s.State != event.StepIntent {
		return
	}
	if d.Failure != "" {
		m.failed(d.Step, d.Failure, d.Error)
		return
	}
	r := d.Receipt
	s.Receipt, s.State, s.Error = &r, event.StepDone, ""
	if step := m.step(d.Step); step.Holds() && r.Result != event.ResultNothing {
		until := m.now.Add(holdFor(step, *s))
		s.Until, s.AtEnd = &until, step.AtEnd
	}
	if s.Ending != "" {
		// Somebody asked for the undo while this was on its way.
		m.revert(s.Ending, func(other *event.Step) bool { return other == s })
	}
}
