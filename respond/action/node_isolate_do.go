package action

import (
	"context"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

// of is the request for one of the pods.
func (r Request) of(target event.Ref) Request {
	r.Target = target
	return r
}

// Do cordons first, so that nothing new comes while pods are quarantined. A pod
// that is gone meanwhile needs nothing.
func (a isolate) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	node, pods, _, err := parts(r, p)
	if err != nil {
		return event.Receipt{}, err
	}
	done, err := a.node.Do(ctx, r, node)
	if err != nil {
		return event.Receipt{}, err
	}
	for _, pod := range pods {
		_, err := a.quarantine.Do(ctx, r.of(pod.Target), pod)
		if errors.Is(err, ErrGone) {
			done.Notes = append(done.Notes, pod.Target.String()+" is gone")
			continue
		}
		if err != nil {
			return event.Receipt{}, fmt.Errorf("quarantine %s: %w", pod.Target, err)
		}
		done.Result = event.ResultApplied
	}
	done.Before = p.Before
	return done, nil
}

// Verify looks at the node and at each pod. What holds in part for one holds in
// part.
func (a isolate) Verify(ctx context.Context, r Request, p event.Plan, done event.Receipt) (event.Receipt, error) {
	node, pods, _, err := parts(r, p)
	if err != nil {
		return done, err
	}
	if len(node.Writes) > 0 {
		if done, err = a.node.Verify(ctx, r, node, done); err != nil {
			return done, err
		}
	}
	for _, pod := range pods {
		one, err := a.quarantine.Verify(ctx, r.of(pod.Target), pod, event.Receipt{Key: r.Key, Result: event.ResultApplied})
		switch {
		case errors.Is(err, ErrGone):
			continue
		case err != nil:
			return done, err
		case one.Result == event.ResultPartial || one.Result == event.ResultVoid:
			done.Result = event.ResultPartial
			for _, n := range one.Notes {
				done.Notes = append(done.Notes, pod.Target.String()+": "+n)
			}
		case one.Result == event.ResultUnverified && done.Result != event.ResultPartial && done.Result != event.ResultVoid:
			done.Result = event.ResultUnverified
		}
	}
	return done, nil
}

// Undo ends the quarantines, and then gives the node back.
func (a isolate) Undo(ctx context.Context, r Request, done event.Receipt, end event.AtEnd) (event.Receipt, error) {
	rec, pods := a.held(r, done)
	var notes []string
	for i, pod := range pods {
		part := event.Receipt{Key: r.Key, Result: done.Result}
		if i < len(rec.Pods) {
			part.Before = rec.Pods[i]
		}
		undone, err := a.quarantine.Undo(ctx, r.of(pod), part, end)
		if err != nil {
			return event.Receipt{}, fmt.Errorf("end quarantine of %s: %w", pod, err)
		}
		for _, n := range undone.Notes {
			notes = append(notes, pod.String()+": "+n)
		}
	}
	part := done
	part.Before = rec.Node
	undone, err := a.node.Undo(ctx, r, part, end)
	undone.Notes = append(notes, undone.Notes...)
	return undone, err
}

// held are the pods that the step's plan names, and what was saved of them. A
// run without a record knows none: each pod tells of its own hold.
func (a isolate) held(r Request, done event.Receipt) (isolateRecord, []event.Ref) {
	for _, s := range r.Run.Steps {
		if r.Run.ID+"/"+s.Name != r.Key || s.Plan == nil {
			continue
		}
		p := *s.Plan
		if len(done.Before) > 0 {
			p.Before = done.Before
		}
		if _, _, rec, err := parts(r, p); err == nil {
			return rec, p.Also
		}
	}
	return isolateRecord{Node: done.Before}, nil
}

// Mark writes the hold's end to the node and the pods.
func (a isolate) Mark(ctx context.Context, r Request) error {
	errs := []error{a.node.Mark(ctx, r)}
	_, pods := a.held(r, event.Receipt{})
	for _, pod := range pods {
		errs = append(errs, a.quarantine.Mark(ctx, r.of(pod)))
	}
	return errors.Join(errs...)
}
