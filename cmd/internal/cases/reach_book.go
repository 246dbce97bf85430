package cases

import (
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// The ways that a step of a playbook can go.
const (
	kindDone   = "step done"
	kindLeft   = "step left out"
	kindFailed = "step failed"
)

// run notes how the steps of a run went.
func (r *Reach) run(run event.Run) {
	for _, s := range run.Steps {
		name := s.Name
		if s.Of != "" {
			name = s.Of
		}
		at := run.Playbook + "/" + name + " "
		switch s.State {
		case event.StepSkipped:
			r.branches[at+kindLeft] = true
		case event.StepFailed, event.StepDenied:
			r.branches[at+kindFailed] = true
		case event.StepDone, event.StepReverted, event.StepPlanned:
			r.branches[at+kindDone] = true
		}
	}
}

// Books are the ways that steps of playbooks can go: each can be done, one with
// a condition can be left out, and one that says on_failure can fail. Mine says
// which files count.
func (r *Reach) Books(books []*respond.Playbook, mine func(string) bool) []Branch {
	var out []Branch
	for _, b := range books {
		for _, s := range b.Steps {
			kinds := []string{kindDone}
			if s.Conditional() {
				kinds = append(kinds, kindLeft)
			}
			if s.OnFailure != respond.OnFailureStop {
				kinds = append(kinds, kindFailed)
			}
			file, line := s.Place()
			if mine != nil && !mine(file) {
				continue
			}
			for _, kind := range kinds {
				out = append(out, Branch{Rule: b.Name, Kind: kind, File: file, Line: line, Text: s.Name, Reached: r.branches[b.Name+"/"+s.Name+" "+kind]})
			}
		}
	}
	return out
}
