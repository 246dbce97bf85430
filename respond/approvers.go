package respond

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// maxNamed is how many playbooks and questions a note names.
const maxNamed = 3

// losses are what a plan takes from those who decide: on its own playbook, on the
// others, and on the questions that wait.
func (x *Executor) losses(book *Playbook, run event.Run, plan event.Plan) []guard.Loss {
	if len(plan.Denies) == 0 {
		return nil
	}
	m := move{book: book, run: &run}
	var asked []guard.Approvers
	for i := range run.Steps {
		if p := m.policy(i); m.step(i).Effect() {
			asked = append(asked, guard.Approvers{Of: "playbook " + book.Name, By: p.By, Need: p.Need})
		}
	}
	asked = append(asked, x.OnCall...)
	if x.Asked != nil {
		asked = append(asked, x.Asked(run)...)
	}
	return guard.Losses(plan.Denies, together(asked), x.groups(run))
}

// maxLosses is how many of them a plan tells of.
const maxLosses = 4

// lossNotes say them in a plan, before all else.
func lossNotes(losses []guard.Loss) (notes []string) {
	for i, l := range losses {
		if i == maxLosses {
			notes = append(notes, fmt.Sprintf("and %d more that they decide on", len(losses)-i))
			break
		}
		notes = append(notes, l.String())
	}
	if len(notes) > 0 {
		notes = append(notes, "who may undo it is for the cluster's RBAC (undo playbooks.firebreak.io); who is locked out may not; who is in which group is known of the config's people of Slack alone")
	}
	return notes
}

// together names what the same people are asked of once.
func together(asked []guard.Approvers) []guard.Approvers {
	var all []guard.Approvers
	names := map[string][]string{}
	for _, a := range asked {
		key := fmt.Sprintf("%d %q", a.Need, a.By)
		if len(names[key]) == 0 {
			all = append(all, a)
		}
		if !slices.Contains(names[key], a.Of) {
			names[key] = append(names[key], a.Of)
		}
	}
	for i, a := range all {
		of := names[fmt.Sprintf("%d %q", a.Need, a.By)]
		all[i].Of = strings.Join(of[:min(len(of), maxNamed)], ", ")
		if more := len(of) - maxNamed; more > 0 {
			all[i].Of += fmt.Sprintf(" and %d more", more)
		}
	}
	return all
}

// groups tells the groups that a user is known to be in: by the config's people of
// Slack, of a service account by its name, and of who is named in the finding by
// what the API server said of them.
func (x *Executor) groups(run event.Run) func(user string) []string {
	return func(user string) []string {
		var in []string
		if x.Groups != nil {
			in = append(in, x.Groups(user)...)
		}
		if user == run.Finding.Actor.User {
			in = append(in, run.Finding.Actor.Groups...)
		}
		if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
			namespace, _, _ := strings.Cut(account, ":")
			in = append(in, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
		}
		return in
	}
}

// asked are those who decide elsewhere than on a run: by the other playbooks, and on
// the questions that wait.
func (w *Worker) asked(of event.Run) []guard.Approvers {
	var all []guard.Approvers
	for _, b := range w.books {
		if b.Name == of.Playbook {
			continue
		}
		for _, p := range append([]Approve{b.Approve}, own(b)...) {
			all = append(all, guard.Approvers{Of: "playbook " + b.Name, By: p.By, Need: p.Need})
			for _, l := range p.Levels {
				all = append(all, guard.Approvers{Of: "playbook " + b.Name, By: l.Approve.By, Need: l.Approve.Need})
			}
		}
	}
	runs := w.liveRuns()
	slices.SortFunc(runs, func(a, b event.Run) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range runs {
		if a := r.Approval; r.ID != of.ID && a != nil && a.State == event.ApprovalOpen && r.State == event.RunAwaiting {
			all = append(all, guard.Approvers{Of: "the question of run " + event.Shorten(r.ID, 12), By: a.By, Need: a.Need - count(*a)})
		}
	}
	return all
}

// own are who decides on steps of which the playbook says so apart.
func own(b *Playbook) (all []Approve) {
	for _, s := range b.Steps {
		if s.Approve != nil {
			all = append(all, *s.Approve)
		}
	}
	return all
}
