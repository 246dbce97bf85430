package action

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		one, err := a.quarantine.Do(ctx, r.of(pod.Target), pod)
		if errors.Is(err, ErrGone) {
			done.Notes = append(done.Notes, pod.Target.String()+" is gone")
			continue
		}
		if err != nil {
			return event.Receipt{}, fmt.Errorf("quarantine %s: %w", pod.Target, err)
		}
		done = joined(done, pod.Target, one)
	}
	done.Before = p.Before
	return done, nil
}

// joined is a receipt with that of one more object: what is worse of the two
// counts for both, and what leaks is said with its object.
func joined(done event.Receipt, of event.Ref, one event.Receipt) event.Receipt {
	order := []event.Result{event.ResultNothing, event.ResultEnforced, event.ResultApplied, event.ResultUnverified, event.ResultPartial, event.ResultVoid}
	if slices.Index(order, one.Result) > slices.Index(order, done.Result) {
		done.Result = one.Result
	}
	if one.Result == event.ResultPartial || one.Result == event.ResultVoid {
		for _, n := range one.Notes {
			if text := of.String() + ": " + n; !slices.Contains(quarantineNotes(true), n) && !slices.Contains(quarantineNotes(false), n) && !slices.Contains(done.Notes, text) {
				done.Notes = append(slices.Clone(done.Notes), text)
			}
		}
	}
	return done
}

// Verify looks at the node and at each pod. What holds in part for one holds in
// part.
func (a isolate) Verify(ctx context.Context, r Request, p event.Plan, done event.Receipt) (event.Receipt, error) {
	node, pods, _, err := parts(r, p)
	if err != nil {
		return done, err
	}
	found := done.Result
	if len(node.Writes) > 0 {
		if done, err = a.node.Verify(ctx, r, node, done); err != nil {
			return done, err
		}
	}
	for _, pod := range pods {
		one, err := a.quarantine.Verify(ctx, r.of(pod.Target), pod, event.Receipt{Key: r.Key, Result: found, Before: pod.Before})
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return done, err
		}
		done = joined(done, pod.Target, one)
	}
	return done, nil
}

// Undo ends the quarantines, and then gives the node back.
func (a isolate) Undo(ctx context.Context, r Request, done event.Receipt, end event.AtEnd) (event.Receipt, error) {
	rec, pods, err := a.held(ctx, r, done)
	if err != nil {
		return event.Receipt{}, err
	}
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
	if err := a.sweep(ctx, r); err != nil {
		return event.Receipt{}, err
	}
	part := done
	part.Before = rec.Node
	undone, err := a.node.Undo(ctx, r, part, end)
	undone.Notes = append(notes, undone.Notes...)
	return undone, err
}

// held are the pods that the step may hold, and what was saved of them: those
// that its plan names, and those on the node that say so themselves.
func (a isolate) held(ctx context.Context, r Request, done event.Receipt) (rec isolateRecord, held []event.Ref, err error) {
	rec.Node = done.Before
	for _, s := range r.Run.Steps {
		if r.Run.ID+"/"+s.Name != r.Key || s.Plan == nil {
			continue
		}
		p := *s.Plan
		if len(done.Before) > 0 {
			p.Before = done.Before
		}
		if _, _, saved, err := parts(r, p); err == nil {
			rec, held = saved, slices.Clone(p.Also)
		}
	}
	if !a.config.Quarantine {
		return rec, held, nil
	}
	pods, err := a.Cluster.PodsOn(ctx, r.Target.Name)
	for i := range pods {
		ref := podRef(&pods[i])
		if holds(&pods[i], r.Key) && !slices.ContainsFunc(held, func(t event.Ref) bool { return t.UID == ref.UID }) {
			held = append(held, ref)
		}
	}
	return rec, held, err
}

// sweep takes away the static policies that were made for pods of the node which
// then were not held: a step that broke off leaves one.
func (a isolate) sweep(ctx context.Context, r Request) error {
	if !a.config.Quarantine {
		return nil
	}
	pods, err := a.Cluster.PodsOn(ctx, r.Target.Name)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range pods {
		ns := pods[i].Namespace
		if seen[ns] || stays(&pods[i], nil) != "" || len(a.config.Namespaces) > 0 && !slices.Contains(a.config.Namespaces, ns) {
			continue
		}
		seen[ns] = true
		if err := sweep(ctx, a.Cluster, ns, false); err != nil {
			return err
		}
	}
	return nil
}

// Mark writes the hold's end to the node and the pods.
func (a isolate) Mark(ctx context.Context, r Request) error {
	_, pods, err := a.held(ctx, r, event.Receipt{})
	errs := []error{a.node.Mark(ctx, r), err}
	for _, pod := range pods {
		errs = append(errs, a.quarantine.Mark(ctx, r.of(pod)))
	}
	return errors.Join(errs...)
}
