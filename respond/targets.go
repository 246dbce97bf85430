package respond

import (
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxTargets is how many objects one step may be about; what is more is left
// out, and said.
const maxTargets = 50

// targets takes in what a step is about. One with for_each becomes a step for
// each of its targets.
func (m move) targets(t Targets) {
	s, step := &m.run.Steps[t.Step], m.step(t.Step)
	if !needsTargets(step, *s) {
		return
	}
	if t.Failure != "" {
		m.failed(t.Step, t.Failure, t.Error)
		return
	}
	s.NotBefore, s.Attempts, s.Error = nil, 0, t.Note
	switch {
	case len(t.Refs) == 0:
		reason := "there is nothing that it would be about"
		if t.Note != "" {
			reason += ": " + t.Note
		}
		m.abandon(t.Step, event.StepSkipped, reason)
	case !step.Each:
		s.Target = &t.Refs[0]
	default:
		m.expand(t.Step, t.Refs, step.AtMost)
	}
}

func (m move) expand(i int, refs []event.Ref, most int) {
	of := m.run.Steps[i]
	m.run.Steps[i].State = event.StepExpanded
	asks := ""
	if len(refs) > most {
		asks = fmt.Sprintf("it is for %d objects, more than at_most %d", len(refs), most)
	}
	for n, ref := range refs[:min(len(refs), maxTargets)] {
		m.run.Steps = append(m.run.Steps, event.Step{
			Name: fmt.Sprintf("%s.%d", of.Name, n+1), Of: of.Name, Action: of.Action,
			State: event.StepPending, Target: &ref, Asks: asks,
		})
	}
}

// matches says whether the playbook's condition is met still with the target as
// given, where it is with the target as it was when the run began. (It need not
// be by the record alone, which keeps less of an incident.)
func (p *Playbook) matches(run event.Run, live event.Ref) (bool, error) {
	f := run.Finding
	f.Subject = run.Target
	was, err := p.Applies(EnvFor(f, run.Incident, run.Target))
	if err != nil || !was || run.Starter != "" {
		return true, nil //nolint:nilerr // then nothing can be told from it now
	}
	f.Subject = live
	return p.Applies(EnvFor(f, run.Incident, live))
}

// needsTargets says whether it is still to be found out what a step is about.
func needsTargets(step PlaybookStep, s event.Step) bool {
	return step.targets != nil && s.State == event.StepPending && s.Target == nil && s.Of == ""
}
