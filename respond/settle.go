package respond

import (
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

// settle moves the run as far as it goes without any further input: it ends
// what time has ended, skips what its condition excludes, and sets the state.
func (m move) settle() {
	if m.run.State.Terminal() {
		return
	}
	m.expire()
	if m.run.State == event.RunGuarding {
		m.early()
		if m.allPlanned() {
			m.guarded()
		}
	}
	if m.run.State.Terminal() || m.run.State == event.RunGuarding {
		return
	}
	m.skip()
	m.state()
}

func (m move) allPlanned() bool {
	for _, s := range m.run.Steps {
		if s.State == event.StepPending {
			return false
		}
	}
	return true
}

// guarded ends the planning: an observing run is over, any other goes on.
func (m move) guarded() {
	if m.run.Mode != event.ModeObserve {
		m.run.State = event.RunRunning
		return
	}
	would := m.book.Mode
	if would == event.ModeObserve {
		would = event.ModeAsk // what the next one up would ask
	}
	m.run.Would = Asked(m.book, *m.run, would, m.now)
	for i := range m.run.Steps {
		m.skipUnmet(i)
	}
	m.run.State = event.RunObserved
}

// early leaves out the steps whose condition asks about no other step, before
// anything is planned for them, or anybody asked.
func (m move) early() {
	for i := range m.run.Steps {
		s, step := m.run.Steps[i], m.step(i)
		if s.State == event.StepPending && step.early && (step.targets == nil || s.Target != nil) {
			m.skipUnmet(i)
		}
	}
}

// skip leaves out the steps whose turn it is and whose condition is not met.
func (m move) skip() {
	for again := true; again; {
		again = false
		for _, i := range m.turns().ready {
			if m.run.Steps[i].State == event.StepPlanned && m.skipUnmet(i) {
				again = true
				break // which may make it the turn of others
			}
		}
	}
}

func (m move) skipUnmet(i int) bool {
	s := &m.run.Steps[i]
	if s.State != event.StepPlanned && s.State != event.StepPending {
		return false
	}
	met, err := m.condition(i)
	switch {
	case err != nil:
		m.abandon(i, event.StepFailed, fmt.Sprintf("condition: %v", err))
		m.stop(event.RunFailed, fmt.Sprintf("step %s: %s", s.Name, s.Error))
	case !met:
		m.abandon(i, event.StepSkipped, "its condition is not met")
	default:
		return false
	}
	return true
}

func (m move) met(i int) bool {
	met, err := m.condition(i)
	return met && err == nil
}

func (m move) condition(i int) (bool, error) {
	step := m.step(i)
	if step.when == nil {
		return true, nil
	}
	env, err := m.book.Env(*m.run, i)
	if err != nil {
		return false, err
	}
	return step.Met(env)
}

// waiting lists the effects that people must be asked for.
func (m move) waiting() []int {
	var steps []int
	for i, s := range m.run.Steps {
		if s.State == event.StepPlanned && m.needsApproval(i) && s.Approved == "" {
			steps = append(steps, i)
		}
	}
	return steps
}

// needsApproval says whether step i may only be done with people's consent:
// an effect in mode ask, one that a guard asks for, or one of which the playbook
// says so itself.
func (m move) needsApproval(i int) bool {
	step, s := m.step(i), m.run.Steps[i]
	if !step.Effect() {
		return false
	}
	decision, _ := Strongest(s.Verdicts)
	return m.run.Mode != event.ModeAct || decision == event.Ask || asked(s.Verdicts) ||
		s.Conflicts >= maxConflicts || s.Approved != "" || step.Approve != nil || s.Asks != ""
}

func asked(verdicts []event.Verdict) bool {
	for _, v := range verdicts {
		if v.Decision == event.Ask {
			return true
		}
	}
	return false
}

// state says where the run stands, from where its steps stand.
func (m move) state() {
	reverting, held, busy := false, false, len(m.turns().ready) > 0
	for _, s := range m.run.Steps {
		reverting = reverting || s.State == event.StepReverting
		held = held || Held(s)
	}
	waiting := m.waiting()
	if a := m.run.Approval; a != nil && a.State == event.ApprovalOpen && len(waiting) == 0 {
		a.State = event.ApprovalVoid
	}
	switch {
	case reverting:
		m.run.State = event.RunReverting
	case len(waiting) > 0:
		m.request(waiting)
		m.run.State = event.RunAwaiting
	case busy:
		m.run.State = event.RunRunning
	case held:
		m.run.State = event.RunHolding
	case m.run.End != "":
		m.run.State = m.run.End
	default:
		m.run.State = event.RunClosed
	}
}

// expire ends what time has ended: the run itself, approvals, and holds.
func (m move) expire() {
	m.overdue()
	if a := m.run.Approval; a != nil && a.State == event.ApprovalOpen && !m.now.Before(a.Expires) {
		a.State = event.ApprovalExpired
		m.declined(*a, event.RunExpired, "nobody approved in time")
	}
	for i := range m.run.Steps {
		s := &m.run.Steps[i]
		if !Held(*s) || s.Kept || s.EndAsked || m.now.Before(*s.Until) {
			continue
		}
		if s.AtEnd == event.AtEndAsk {
			s.EndAsked = true
			continue
		}
		m.revert("", func(other *event.Step) bool { return other == s })
	}
}

// Strongest is the decision that prevails among verdicts, with its reason:
// deny before wait before ask before pass.
func Strongest(verdicts []event.Verdict) (event.Decision, string) {
	rank := map[event.Decision]int{event.Pass: 0, event.Ask: 1, event.Wait: 2, event.Deny: 3}
	decision, reason := event.Pass, ""
	for _, v := range verdicts {
		if rank[v.Decision] > rank[decision] {
			decision, reason = v.Decision, v.Guard+": "+v.Reason
		}
	}
	return decision, reason
}
