package respond

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// dryRun begins the notes that a dry run leaves in a plan.
const dryRun = "dry run: "

// preview adds to a plan that people will look at what would be lost, and what
// the API server says to each write of it. A plan that is made again, and is the
// same deed, keeps what was said of it.
func (x *Executor) preview(ctx context.Context, p *Planned, book *Playbook, run event.Run, i int) {
	s, step := run.Steps[i], book.StepOf(run, i)
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
	decision, _ := Strongest(p.Verdicts)
	if run.Mode == event.ModeAct && decision == event.Pass && step.Approve == nil && s.Asks == "" {
		return // it is done at once; the API server says what it says then
	}
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
			notes = append(notes, fmt.Sprintf("%sthe API server refuses it: %s", dryRun, cut(err.Error())))
		default:
			taken++
			for _, c := range changes {
				notes = append(notes, fmt.Sprintf("%safter %s, %s", dryRun, what, cut(c)))
			}
		}
	}
	if taken == sent && sent > 0 {
		notes = append(notes, dryRun+"the API server takes "+plural(sent, "write"))
	}
	return notes
}

// cut keeps a note short.
func cut(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

func plural(n int, what string) string {
	if n == 1 {
		return "the one " + what
	}
	return fmt.Sprintf("all %d %ss", n, what)
}
