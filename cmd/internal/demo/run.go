package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/journal"
)

// await waits for the run of a playbook for a pod, and tells why it began:
// the event and the finding.
func (d *demo) await(ctx context.Context, book, namespace, pod string) (event.Run, error) {
	var run event.Run
	err := until(ctx, fmt.Sprintf("a run of %s for %s/%s", book, namespace, pod), func(ctx context.Context) error {
		runs, err := d.api.Runs(ctx)
		if err != nil {
			return err
		}
		for _, r := range runs {
			if r.Playbook == book && r.Target.Namespace == namespace && r.Target.Name == pod {
				run = r
				return nil
			}
		}
		return errors.New("there is none")
	})
	if err != nil {
		return run, err
	}
	f := run.Finding
	d.board.rowAt(f.Time, "event", "%s", observed(f))
	for _, at := range f.Events {
		d.board.below("from %s, event %s", at.From, at.ID)
	}
	d.board.rowAt(f.Received, "finding", "%s (%s, trust %s): %s", f.Rule, f.Severity, f.Trust, f.Title)
	d.board.below("%s", f.Explanation)
	d.board.below("incident %.12s, %s: %s", run.Incident.ID, run.Incident.Priority, strings.Join(run.Incident.Rules, ", "))
	return run, nil
}

// observed is one line about what was observed.
func observed(f event.Finding) string {
	if f.Source == event.SourceAudit {
		return fmt.Sprintf("API server audit: %s, %s by %s", f.Subject, f.Actor.UserAgent, f.Actor.User)
	}
	return fmt.Sprintf("%s: %s ran %q in %s", f.Source, f.Actor.User, f.Actor.Process, f.Subject)
}

// follow tells the moves of a run until it is as wanted. A run that ends
// otherwise is an error.
func (d *demo) follow(ctx context.Context, id, what string, wanted func(event.Run) bool) (event.Run, error) {
	var run event.Run
	err := until(ctx, "the run "+what, func(ctx context.Context) error {
		history, err := d.api.History(ctx, id)
		if err != nil || len(history) == 0 {
			return errors.Join(err, ctx.Err())
		}
		d.tell(history)
		run = history[len(history)-1]
		switch {
		case wanted(run):
			return nil
		case run.State.Terminal():
			return &final{fmt.Errorf("it is %s: %s", run.State, run.Reason)}
		}
		return fmt.Errorf("it is %s", run.State)
	})
	return run, err
}

// tell shows what moved since it was called last.
func (d *demo) tell(history []event.Run) {
	before := event.Run{}
	for _, after := range history {
		if after.Record > d.told[after.ID] {
			d.told[after.ID] = after.Record
			for _, m := range moves(before, after) {
				d.board.rowAt(after.Updated, m.label, "%s", m.text)
				if m.step >= 0 {
					d.details(after, after.Steps[m.step])
				}
			}
			if a := after.Approval; a != nil && before.Approval == nil {
				d.board.below("%d of %s must agree to plan %.12s by %s", a.Need, strings.Join(a.By, ", "), a.Digest, a.Expires.UTC().Format("15:04:05"))
				d.why(after)
			}
		}
		before = after
	}
}

// why shows which guards want people to be asked, and for what.
func (d *demo) why(run event.Run) {
	for _, s := range run.Steps {
		for _, v := range s.Verdicts {
			if v.Decision == event.Ask {
				d.board.below("because guard %s of step %s asks: %s", v.Guard, s.Name, v.Reason)
			}
		}
	}
}

// move is one thing that moved between two records of a run.
type move struct {
	label, text string
	step        int // -1 when it is none of a step
}

// moves says what moved, in the words of `firebreak runs`: it is asked about
// one part of the record at a time, to know what kind of move each is.
func moves(before, after event.Run) (all []move) {
	note := func(label string, step int, from, to event.Run) {
		for _, text := range journal.Moves(from, to) {
			all = append(all, move{label, text, step})
		}
	}
	if before.ID == "" {
		// What acts at once is on record with its first intent.
		begun := after
		begun.Approval, begun.Said, begun.Steps = nil, nil, nil
		note("run", -1, before, begun)
		before = begun
	}
	part := before
	part.Approval = after.Approval
	note("approval", -1, before, part)
	for i := range after.Steps {
		part = before
		part.Steps = slices.Clone(before.Steps)
		for len(part.Steps) <= i {
			part.Steps = append(part.Steps, event.Step{}) // one that a for_each became
		}
		part.Steps[i] = after.Steps[i]
		note(labelOf(after.Steps[i].State), i, before, part)
	}
	part = before
	part.State, part.Reason = after.State, after.Reason
	label := "run"
	if after.State == event.RunAwaiting {
		label = "approval"
	}
	note(label, -1, before, part)
	return all
}

func labelOf(s event.StepState) string {
	switch s {
	case event.StepPlanned:
		return "plan"
	case event.StepReverting, event.StepReverted:
		return "undo"
	}
	return "action"
}

// details are what stands behind a step's move: what its plan would write, the
// first time that a playbook plans it, and what its receipt notes.
func (d *demo) details(run event.Run, s event.Step) {
	key := run.Playbook + " " + s.Name
	if s.Plan != nil && !d.noted[key] {
		d.noted[key] = true
		d.plan(*s.Plan)
	}
	if s.Receipt != nil {
		d.notes(s.Receipt.Notes)
	}
}

func (d *demo) plan(p event.Plan) {
	for _, w := range p.Writes {
		condition := ""
		if w.UID != "" {
			condition = fmt.Sprintf(" if it is still uid %.8s… at version %s", w.UID, w.ResourceVersion)
		}
		d.board.below("%s %s %s/%s%s", w.Verb, w.Resource, w.Namespace, w.Name, condition)
		if w.Verb == "patch" {
			d.board.below("%s", changes(w.Body))
		}
	}
	d.notes(p.Notes)
}

// changes are what a merge patch changes of an object's metadata.
func changes(body []byte) string {
	var patch struct {
		Metadata struct{ Labels, Annotations map[string]*string }
	}
	if err := json.Unmarshal(body, &patch); err != nil {
		return string(body)
	}
	var parts []string
	for _, part := range []struct {
		name string
		set  map[string]*string
	}{{"labels", patch.Metadata.Labels}, {"annotations", patch.Metadata.Annotations}} {
		var gone, added []string
		for _, k := range slices.Sorted(maps.Keys(part.set)) {
			if v := part.set[k]; v != nil {
				added = append(added, "+"+k+"="+tame(*v, 96))
			} else {
				gone = append(gone, "-"+k)
			}
		}
		if words := append(gone, added...); len(words) > 0 {
			parts = append(parts, part.name+" "+strings.Join(words, " "))
		}
	}
	return strings.Join(parts, "; ")
}

// notes are shown the first time: most are the same for every plan.
func (d *demo) notes(notes []string) {
	for _, n := range notes {
		if !d.noted[n] {
			d.noted[n] = true
			d.board.below("note: %s", n)
		}
	}
}

// in says that a run is in a state.
func in(state event.RunState) func(event.Run) bool {
	return func(r event.Run) bool { return r.State == state }
}
