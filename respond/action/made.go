package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// made is an action that makes objects of its own and changes nothing else: a
// policy, a limit. Its undo takes them away. A kind gives it a name and what to
// make.
type made struct {
	Deps
	action string
	// objects gives what to make for a request, with notes for the plan and one
	// line that says what it does. It reads only.
	objects func(ctx context.Context, r Request) (list []own, summary string, notes []string, err error)
	// look, if there is one, says how far the objects have their effect, once
	// they stand as they were made.
	look func(ctx context.Context, r Request, p event.Plan) (event.Result, []string, error)
}

// madeRecord is what a receipt says of the objects, for the undo.
type madeRecord struct {
	Objects []madeObject `json:"objects"`
}

type madeObject struct {
	Resource
	Namespace string `json:",omitempty"`
	Name      string
}

// Plan lists the creates.
func (m made) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p := event.Plan{Action: m.action, Target: r.Target, Reversible: true}
	list, summary, notes, err := m.objects(ctx, r)
	if err != nil {
		return p, err
	}
	p.Summary, p.Notes = summary, offlineNotes(m.Deps, notes)
	rec := madeRecord{}
	for _, o := range list {
		w, err := o.write(m.action, r)
		if err != nil {
			return p, err
		}
		p.Writes = append(p.Writes, w)
		rec.Objects = append(rec.Objects, madeObject{o.Resource, w.Namespace, w.Name})
	}
	p.Before, err = encode(rec)
	return p, err
}

// Do makes the objects, in order. Those that are there already are this step's.
// What they are for is looked at again: nothing is made for a target that is gone.
func (m made) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := checkPlan(m.action, r, p); err != nil {
		return event.Receipt{}, err
	}
	if _, _, _, err := m.objects(ctx, r); errors.Is(err, ErrGone) {
		return event.Receipt{}, err
	}
	for _, w := range p.Writes {
		if w.Verb != "create" || w.Subresource != "" {
			return event.Receipt{}, refuse(r.Target, "plan is not made of creates")
		}
		if err := makeOwn(ctx, m.Cluster, r.Key, w); err != nil {
			return event.Receipt{}, err
		}
	}
	done := receipt(r, event.ResultApplied, p.Notes...)
	done.Before = p.Before
	return done, nil
}

// Verify reads the objects back, and looks whether they have their effect.
func (m made) Verify(ctx context.Context, r Request, p event.Plan, done event.Receipt) (event.Receipt, error) {
	for _, w := range p.Writes {
		found, err := readOwn(ctx, m.Cluster, r.Key, w)
		if errors.Is(err, kube.ErrNotFound) {
			return changed(done, event.ResultVoid, fmt.Sprintf("%s %s is gone", w.Resource, w.Name)), nil
		}
		if err != nil {
			return done, err
		}
		var body object
		if err := json.Unmarshal(w.Body, &body); err != nil {
			return done, fmt.Errorf("decode body of %s %s: %w", w.Resource, w.Name, err)
		}
		delete(body, "metadata")
		if wrong := differing(body, found.Object, ""); len(wrong) > 0 {
			done = changed(done, event.ResultPartial, fmt.Sprintf("%s %s is not as it was made: %v", w.Resource, w.Name, wrong))
		}
	}
	if m.look == nil || done.Result == event.ResultPartial {
		return done, nil
	}
	result, notes, err := m.look(ctx, r, p)
	if err != nil {
		return done, err
	}
	return changed(done, result, notes...), nil
}

// standing are the objects that may stand: by the receipt, else by the plan that
// the run has, else those that a plan would list now. A target that is gone has
// none that are known.
func (m made) standing(ctx context.Context, r Request, done event.Receipt) (rec madeRecord, err error) {
	before := done.Before
	for _, s := range r.Run.Steps {
		if len(before) == 0 && r.Run.ID+"/"+s.Name == r.Key && s.Plan != nil {
			before = s.Plan.Before
		}
	}
	if len(before) > 0 {
		if err := json.Unmarshal(before, &rec); err != nil {
			return rec, fmt.Errorf("decode what was made: %w", err)
		}
		return rec, nil
	}
	list, _, _, err := m.objects(ctx, r)
	if err != nil && !errors.Is(err, ErrGone) {
		return rec, err
	}
	for _, o := range list {
		rec.Objects = append(rec.Objects, madeObject{o.Resource, o.Namespace, OwnName(r.Key, o.Part)})
	}
	return rec, nil
}

// Undo takes the objects away, the last one first. Without a receipt they are
// those that the plan lists.
func (m made) Undo(ctx context.Context, r Request, done event.Receipt, _ event.AtEnd) (event.Receipt, error) {
	rec, err := m.standing(ctx, r, done)
	if err != nil {
		return event.Receipt{}, err
	}
	var notes []string
	for i := len(rec.Objects) - 1; i >= 0; i-- {
		o := rec.Objects[i]
		more, err := removeOwn(ctx, m.Cluster, r, o.Resource, o.Namespace, o.Name)
		if err != nil {
			return event.Receipt{}, err
		}
		notes = append(notes, more...)
	}
	return receipt(r, event.ResultUndone, notes...), nil
}

// Mark writes the hold's end to the objects.
func (m made) Mark(ctx context.Context, r Request) error {
	rec, err := m.standing(ctx, r, event.Receipt{})
	if err != nil {
		return err
	}
	for _, o := range rec.Objects {
		err := mark(ctx, m.Cluster, r.Target, func() (event.Write, bool, error) {
			found, err := m.Cluster.Get(ctx, o.Group, o.Version, o.Resource.Resource, o.Namespace, o.Name)
			if errors.Is(err, kube.ErrNotFound) {
				return event.Write{}, false, nil
			}
			if err != nil || !ownedBy(found, r.Key) {
				return event.Write{}, false, err
			}
			var until any
			if !r.Until.IsZero() {
				until = r.Until.UTC().Format(time.RFC3339)
			}
			w := o.on("patch", found)
			w.Body, err = encode(object{"metadata": object{"annotations": object{UntilKey: until}}})
			return w, true, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
