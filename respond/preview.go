package respond

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// dryRun begins the notes that a dry run leaves in a plan.
const dryRun = "dry run: "

// foresee adds to a plan what would be lost. A plan that is made again, and is
// the same deed, keeps what was said of it.
func (x *Executor) foresee(ctx context.Context, p *Planned, book *Playbook, run event.Run) {
	s, step := run.Steps[p.Step], book.StepOf(run, p.Step)
	if x.Preview == nil || x.Deps.Offline || !step.Effect() {
		return
	}
	if s.State == event.StepPlanned && s.Plan != nil && s.Digest == p.Digest {
		p.Plan.Loss = s.Plan.Loss
		for _, n := range s.Plan.Notes {
			if strings.HasPrefix(n, dryRun) {
				p.Plan.Notes = append(p.Plan.Notes, n)
			}
		}
		return
	}
	p.Plan.Loss = x.loss(ctx, step.Kind, p.Plan)
}

// tries says whether people are going to look at a plan: one that is done as soon
// as nothing holds it back tells the API server soon enough, and one that is
// refused nobody will do. What was tried before is not tried again.
func (x *Executor) tries(p Planned, book *Playbook, run event.Run) bool {
	s, step := run.Steps[p.Step], book.StepOf(run, p.Step)
	decision, _ := Strongest(p.Verdicts)
	said := func(note string) bool { return strings.HasPrefix(note, dryRun) }
	switch {
	case x.Preview == nil, x.Deps.Offline, !step.Effect(), p.Failure != "", p.Reserved != nil, decision == event.Deny, slices.ContainsFunc(p.Plan.Notes, said):
		return false
	}
	return run.Mode != event.ModeAct || step.Approve != nil || s.Asks != "" || asked(p.Verdicts)
}

// try sends the writes of a plan as a dry run, and adds what came of it.
func (x *Executor) try(ctx context.Context, p *Planned) {
	p.Plan.Notes = append(p.Plan.Notes, x.tried(ctx, p.Plan.Writes)...)
}

// tried sends each write to the API server, which checks it and stores nothing,
// and says what came of it.
func (x *Executor) tried(ctx context.Context, writes []event.Write) []string {
	var notes []string
	taken, sent := 0, 0
	for _, w := range writes {
		if w.Resource == "" {
			continue // a message, not a request to the API server
		}
		what := fmt.Sprintf("%s %s %s", w.Verb, w.Resource, strings.Trim(w.Namespace+"/"+w.Name, "/"))
		if !w.Dry() {
			notes = append(notes, fmt.Sprintf("%s%s is not tried: it can't be without effect", dryRun, what))
			continue
		}
		sent++
		changes, err := x.Preview.DryRun(ctx, w)
		switch {
		case errors.Is(err, kube.ErrExists) && w.Verb == "create":
			taken++ // equal ones are left alone, others are never touched
		case errors.Is(err, kube.ErrConflict):
			notes = append(notes, fmt.Sprintf("%s%s: it has just been changed by somebody else", dryRun, what))
		case err != nil:
			notes = append(notes, fmt.Sprintf("%sthe API server refuses it: %s", dryRun, event.Shorten(err.Error(), event.MaxNote)))
		default:
			taken++
			for _, c := range changes {
				notes = append(notes, fmt.Sprintf("%safter %s, %s", dryRun, what, event.Shorten(c, event.MaxNote)))
			}
		}
	}
	if taken == sent && sent > 0 {
		notes = append(notes, dryRun+"the API server takes "+plural(sent, "write"))
	}
	return notes
}

func plural(n int, what string) string {
	if n == 1 {
		return "the one " + what
	}
	return fmt.Sprintf("all %d %ss", n, what)
}
