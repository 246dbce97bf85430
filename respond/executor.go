package respond

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// Executor carries out what [Due] asks for: it plans, does and undoes steps.
// It may be used concurrently.
type Executor struct {
	Deps   action.Deps
	Guards *guard.Set
	// Recent, if set, is the cluster of Deps as plans may see it: its pods may
	// be a moment old, since what is written is conditional on them. To do and
	// to undo a step Deps' own are read.
	Recent action.Cluster
	// Preview, if set, says what plans would take away, and tries their writes
	// without effect.
	Preview Preview
	// Asked, if set, gives those who decide elsewhere than on a run: whom a lockout
	// leaves is said of them too. [NewWorker] sets it. OnCall are those who decide
	// whatever is asked. Groups, if set, tells the
	// groups in which a user is known to be.
	Asked  func(of event.Run) []guard.Approvers
	OnCall []guard.Approvers
	Groups func(user string) []string
}

// Targets finds out what step i is about: live objects, each with its UID.
func (x *Executor) Targets(ctx context.Context, book *Playbook, run event.Run, i int) Targets {
	t := Targets{Step: i}
	env, err := book.Env(run, i)
	var refs []event.Ref
	if err == nil {
		refs, err = book.StepOf(run, i).targets(env)
	}
	if err != nil {
		t.Failure, t.Error = FailedFinal, fmt.Sprintf("what step %s is about: %v", run.Steps[i].Name, err)
		return t
	}
	var notes []string
	known := map[string]bool{}
	for n, ref := range refs {
		if len(t.Refs) == maxTargets {
			notes = append(notes, fmt.Sprintf("%d of %d objects are left out: %d is the most", len(refs)-n, len(refs), maxTargets))
			break
		}
		live, err := x.resolve(ctx, run.Finding, ref)
		switch {
		case errors.Is(err, ErrNoTarget):
			notes = append(notes, err.Error())
		case err != nil:
			return Targets{Step: i, Failure: classify(err), Error: err.Error()}
		case !known[object(live)]:
			live.Labels = nil
			known[object(live)] = true
			t.Refs = append(t.Refs, live)
		}
	}
	t.Note = strings.Join(notes, "; ")
	if len(t.Note) > maxNote {
		t.Note = strings.ToValidUTF8(t.Note[:maxNote], "") + "…"
	}
	return t
}

// maxNote bounds what is said of objects that a step leaves out.
const maxNote = 1024

// resolve looks a step's target up as a finding's subject is: it has to be what
// was there when the finding's event was.
func (x *Executor) resolve(ctx context.Context, f event.Finding, ref event.Ref) (event.Ref, error) {
	if x.Deps.Offline {
		return ref, nil
	}
	f.Subject = ref
	return Resolve(ctx, x.Deps.Cluster, f)
}

// Plan plans step i of a run, asks the guards, and tries what people will be
// asked about without effect. It writes nothing.
func (x *Executor) Plan(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Planned {
	p := x.draft(ctx, book, run, i, now)
	if x.tries(p, book, run) {
		x.try(ctx, &p)
	}
	return p
}

// draft is Plan without the dry run.
func (x *Executor) draft(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Planned {
	p, before := Planned{Step: i}, run
	check := check(book, run, i, now)
	check.Would = x.Preview != nil
	s := run.Steps[i]
	if s.State == event.StepPlanned && s.Plan != nil {
		// Nothing is read of the cluster while operators hold everything back:
		// a thousand runs that wait must not keep an undo from its turn.
		check.Plan = *s.Plan
		if verdicts, stopped := x.Guards.Stopped(ctx, check, s.Verdicts); stopped {
			p.Plan, p.With, p.Digest, p.Verdicts = *s.Plan, s.With, s.Digest, verdicts
			return p
		}
	}
	// Parameters are evaluated once; what is done and undone goes by the same.
	run.Steps = slices.Clone(run.Steps)
	run.Steps[i].With = nil
	err := x.plan(ctx, &p, book, run, i, now)
	if err == nil {
		p.Digest, err = p.Plan.Digest()
	}
	if err != nil {
		p.Failure, p.Error = classify(err), err.Error()
		return p
	}
	check.Losses = x.losses(book, run, p.Plan)
	p.Plan.Notes = append(lossNotes(check.Losses), p.Plan.Notes...)
	check.Plan = p.Plan
	check.Approved, check.Yes = s.Approved != "" && s.Approved == p.Digest, s.Yes
	p.Verdicts = x.Guards.Judge(ctx, check)
	x.foresee(ctx, &p, book, run)
	follows := s.State == event.StepPlanned
	if s.State == event.StepPending {
		// Where the step's turn comes with this very plan, the effect need not be
		// planned again.
		check.Run, follows = x.follows(book, before, p, now)
		p.Follows = follows
	}
	if follows {
		// The effect follows if nothing stands against it: its place in the
		// budgets is taken before the intent is written.
		p.Verdicts, p.Reserved = x.Guards.Take(ctx, check, p.Verdicts)
	}
	return p
}

// follows is the run with a step's first plan, and says whether the step's turn
// is then.
func (x *Executor) follows(book *Playbook, run event.Run, p Planned, now time.Time) (event.Run, bool) {
	next := Next(book, run, Input{Planned: &p}, now)
	due, _ := DueAll(book, next, now)
	return next, slices.Contains(due, Effect{Kind: EffectPlan, Step: p.Step})
}

// check is what the guards are asked about step i.
func check(book *Playbook, run event.Run, i int, now time.Time) guard.Check {
	step := book.StepOf(run, i)
	return guard.Check{
		Run: run, Step: i, Effect: step.Effect(), Reversible: step.Kind.Reversible, Hold: holdFor(step, run.Steps[i]),
		Budget: step.Kind.Budget, Now: now, Matches: func(live event.Ref) (bool, error) { return book.matches(run, live) },
	}
}

// plan makes the plan. One that would write nothing is conditional on nothing,
// nor is one that can't be made: those are made of what is there now.
func (x *Executor) plan(ctx context.Context, p *Planned, book *Playbook, run event.Run, i int, now time.Time) error {
	deps := x.Deps
	if x.Recent != nil {
		deps.Cluster = x.Recent
	}
	for {
		act, req, with, err := x.prepare(deps, book, run, i, now)
		p.With = with
		if err == nil {
			p.Plan, err = act.Plan(ctx, req)
		}
		if deps.Cluster == x.Deps.Cluster || err == nil && len(p.Plan.Writes) > 0 {
			if err == nil && !deps.Offline {
				p.Plan.Notes = append(p.Plan.Notes, action.KeeperNotes(ctx, deps.Cluster, p.Plan)...)
			}
			return err
		}
		deps.Cluster = x.Deps.Cluster
	}
}

// Held says what stands against carrying out step i's intent now: the guards
// are asked again when it was not written a moment ago.
func (x *Executor) Held(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) (reason string, held bool) {
	s, c := run.Steps[i], check(book, run, i, now)
	c.Plan, c.Approved = *s.Plan, s.Approved != ""
	c.Losses = x.losses(book, run, *s.Plan)
	verdicts := x.Guards.Judge(ctx, c)
	decision, reason := Strongest(verdicts)
	if decision == event.Deny || decision == event.Wait || decision == event.Ask && s.Approved == "" {
		return reason, true
	}
	return "", false
}

// Do carries out the plan that step i's intent holds. Right before each write
// it is asked whether everything is held back, and whether the intent has its
// place in the budgets still.
func (x *Executor) Do(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Done {
	return x.do(ctx, book, run, i, now, nil)
}

// do is Do; done is called when all is written, and before it is looked whether
// that took effect.
func (x *Executor) do(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time, done func()) Done {
	deps := x.Deps
	if book.StepOf(run, i).Effect() {
		c := check(book, run, i, now)
		c.Plan = *run.Steps[i].Plan
		deps.Cluster = &gate{Cluster: x.Deps.Cluster, guards: x.Guards, check: c, tidies: book.StepOf(run, i).Kind.Tidies}
	}
	return x.carry(deps, book, run, i, now, func(act action.Action, req action.Request) (event.Receipt, error) {
		return doVerified(ctx, act, req, *run.Steps[i].Plan, done)
	})
}

// landed says whether the step's target shows the effect of the step's intent:
// it has been carried out, and only its record was lost. known is false when the
// target can't be read: then nobody can tell.
func (x *Executor) landed(ctx context.Context, run event.Run, i int) (yes, known bool) {
	target, s := run.StepTarget(i), run.Steps[i]
	var uid string
	var labels, annotations map[string]string
	switch {
	case target.IsPod():
		pod, err := x.Deps.Cluster.Pod(ctx, target.Namespace, target.Name)
		if err != nil {
			return false, errors.Is(err, kube.ErrNotFound)
		}
		uid, labels, annotations = string(pod.UID), pod.Labels, pod.Annotations
	case target.IsNode():
		node, err := x.Deps.Cluster.Node(ctx, target.Name)
		if err != nil {
			return false, errors.Is(err, kube.ErrNotFound)
		}
		uid, labels, annotations = string(node.UID), node.Labels, node.Annotations
	}
	holdings, _ := action.HoldingsOf(target, labels, annotations) // of another step's nothing is asked
	return uid != "" && uid == target.UID && slices.ContainsFunc(holdings, func(h action.Holding) bool {
		return h.Key == run.ID+"/"+s.Name && h.Action == s.Action && !h.Loose
	}), true
}

// Finish carries the plan of step i's intent to its end whose effect has landed:
// nothing holds that back any more, and its end counts from now. The same
// conditional writes are sent, so what is there is found and not written again.
func (x *Executor) Finish(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Done {
	deps, c := x.Deps, check(book, run, i, now)
	c.Plan = *run.Steps[i].Plan
	deps.Cluster = &gate{Cluster: x.Deps.Cluster, check: c, tidies: book.StepOf(run, i).Kind.Tidies}
	return x.carry(deps, book, run, i, now, func(act action.Action, req action.Request) (event.Receipt, error) {
		return doVerified(ctx, act, req, *run.Steps[i].Plan, nil)
	})
}

// Undo takes back what step i's receipt says was done. Without a receipt it
// takes back whatever may have landed of the step's intent.
func (x *Executor) Undo(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Done {
	if run.Adopted {
		return x.putBack(ctx, run, i, now)
	}
	var done event.Receipt
	if r := run.Steps[i].Receipt; r != nil {
		done = *r
	}
	return x.carry(x.Deps, book, run, i, now, func(act action.Action, req action.Request) (event.Receipt, error) {
		return act.Undo(ctx, req, done, run.Steps[i].AtEnd)
	})
}

// Mark writes the end of step i's hold to its object.
func (x *Executor) Mark(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Done {
	return x.carry(x.Deps, book, run, i, now, func(act action.Action, req action.Request) (event.Receipt, error) {
		marker, ok := act.(action.Marker)
		if !ok {
			return event.Receipt{}, nil
		}
		if req.Until = *run.Steps[i].Until; run.Steps[i].Kept {
			req.Until = time.Time{}
		}
		return event.Receipt{}, marker.Mark(ctx, req)
	})
}

// Reset sets step i's hold again as it was. It is the deed that was decided on
// before, to the digest, or nothing; only a pause holds it back.
func (x *Executor) Reset(ctx context.Context, book *Playbook, run event.Run, i int, now time.Time) Done {
	s := run.Steps[i]
	if s.Plan != nil {
		check := guard.Check{Run: run, Step: i, Plan: *s.Plan, Effect: true, Now: now}
		if verdicts, stopped := x.Guards.Stopped(ctx, check, s.Verdicts); stopped {
			_, reason := Strongest(verdicts)
			return Done{Step: i, Failure: FailedHeld, Error: reason}
		}
	}
	return x.carry(x.Deps, book, run, i, now, func(act action.Action, req action.Request) (event.Receipt, error) {
		if req.Until = *s.Until; s.Kept {
			req.Until = time.Time{}
		}
		plan, err := act.Plan(ctx, req)
		if err != nil {
			return event.Receipt{}, err
		}
		digest, err := plan.Digest()
		if err != nil {
			return event.Receipt{}, err
		}
		if digest != s.Digest {
			return event.Receipt{}, fmt.Errorf("%w: it would now be: %s", action.ErrDiffers, plan.Summary)
		}
		return doVerified(ctx, act, req, plan, nil)
	})
}

func (x *Executor) carry(deps action.Deps, book *Playbook, run event.Run, i int, now time.Time, f func(action.Action, action.Request) (event.Receipt, error)) Done {
	d := Done{Step: i}
	act, req, _, err := x.prepare(deps, book, run, i, now)
	if err == nil {
		d.Receipt, err = f(act, req)
	}
	if err != nil {
		d.Failure, d.Error = classify(err), err.Error()
	}
	return d
}

// prepare makes the action with the parameters of the record, or, when there
// are none yet, of the playbook.
func (x *Executor) prepare(deps action.Deps, book *Playbook, run event.Run, i int, now time.Time) (action.Action, action.Request, json.RawMessage, error) {
	step := book.StepOf(run, i)
	config, with, err := parameters(book, run, i)
	if err != nil {
		return nil, action.Request{}, nil, fmt.Errorf("parameters of step %s: %w: %w", run.Steps[i].Name, errFinal, err)
	}
	act, err := step.Kind.New(deps, config)
	if err != nil {
		return nil, action.Request{}, nil, fmt.Errorf("make %s: %w: %w", step.Action, errFinal, err)
	}
	target := run.StepTarget(i)
	target.Labels = nil // what a plan says of its target is who it is
	return act, action.Request{
		Key: run.ID + "/" + run.Steps[i].Name, Run: run, Target: target, Until: now.Add(holdFor(step, run.Steps[i])), Now: now, Over: run.Steps[i].Over,
	}, with, nil
}

func parameters(book *Playbook, run event.Run, i int) (config any, with json.RawMessage, err error) {
	step := book.StepOf(run, i)
	if with = run.Steps[i].With; len(with) > 0 {
		config = step.Kind.Config()
		return config, with, json.Unmarshal(with, config)
	}
	env, err := book.Env(run, i)
	if err != nil {
		return nil, nil, err
	}
	if config, err = step.Config(env); err != nil {
		return nil, nil, err
	}
	with, err = json.Marshal(config)
	return config, with, err
}

var errFinal = errors.New("can't be done")

// classify says what an error means for a run.
func classify(err error) Failure {
	switch {
	case errors.Is(err, errHeld):
		return FailedHeld
	case errors.Is(err, action.ErrGone):
		return FailedGone
	case errors.Is(err, action.ErrDiffers):
		return FailedForeign
	case errors.Is(err, action.ErrConflict):
		return FailedConflict
	case errors.Is(err, errFinal), errors.Is(err, kube.ErrForbidden), errors.Is(err, action.ErrIrreversible), errors.Is(err, action.ErrRefused):
		return FailedFinal
	}
	return FailedRetry
}
