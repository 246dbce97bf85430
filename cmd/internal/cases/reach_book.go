package cases

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// The ways that a step of a playbook can go.
const (
	kindDone   = "step done"
	kindLeft   = "step left out"
	kindFailed = "step failed"
)

// run notes by which alternatives a playbook was for a run's finding, and how the
// steps of the run went.
func (r *Reach) run(books []*respond.Playbook, run event.Run) {
	if i := slices.IndexFunc(books, func(b *respond.Playbook) bool { return b.Name == run.Playbook }); i >= 0 {
		if c, err := books[i].Condition(); err == nil { // its playbook was read, so there is none
			r.alternatives(c.Trace(respond.EnvFor(run.Finding, run.Incident, run.Target)))
		}
	}
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

// Books are the alternatives of the conditions of playbooks, and the ways that
// their steps can go: each can be done, one with a condition can be left out, and
// one that says on_failure can fail. Mine says which files count.
func (r *Reach) Books(books []*respond.Playbook, mine func(string) bool) []Branch {
	var out []Branch
	for _, b := range books {
		if c, err := b.Condition(); err == nil {
			for _, k := range alternatives(b.Name, c) {
				if k.Reached = r.branches[k.key]; mine == nil || mine(k.File) {
					out = append(out, k.Branch)
				}
			}
		}
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
