package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// elsewhere is an action that changes fields of other objects than its target:
// of the bindings of an identity, of what a workload is managed by. Each object
// is held as the target of a [fields] action is.
type elsewhere struct {
	fields
	// find gives the objects to change, one line that says what is done, and
	// notes. It reads only.
	find func(ctx context.Context, r Request) (list []found, summary string, notes []string, err error)
}

// found is an object and what to change of it.
type found struct {
	Resource
	object *unstructured.Unstructured
	fields []field
}

// maxElsewhere is how many objects one step may change; who has more of them is
// for people.
const maxElsewhere = 16

// of is the part of the action that is about one object.
func (e elsewhere) of(list []field) fields {
	f := e.fields
	f.want = func(context.Context, Request, *unstructured.Unstructured) ([]field, string, []string, error) {
		return list, "", nil, nil
	}
	return f
}

// Plan lists a patch for each object.
func (e elsewhere) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p := event.Plan{Action: e.action, Target: r.Target, Reversible: true}
	list, summary, notes, err := e.find(ctx, r)
	if err != nil {
		return p, err
	}
	if len(list) > maxElsewhere {
		return p, refuse(r.Target, "%d objects would be changed, more than %d", len(list), maxElsewhere)
	}
	p.Summary, p.Notes = summary, offlineNotes(e.Deps, notes)
	for _, o := range list {
		to := r
		to.Target = o.ref(o.object)
		part, err := e.of(o.fields).Plan(ctx, to)
		if err != nil {
			return p, err
		}
		for _, n := range part.Notes {
			p.Notes = append(p.Notes, fmt.Sprintf("%s: %s", to.Target, n))
		}
		if len(part.Writes) > 0 {
			p.Writes = append(p.Writes, part.Writes...)
			p.Also = append(p.Also, to.Target)
		}
	}
	if len(p.Writes) == 0 {
		p.Summary += ": nothing to do"
	}
	return p, nil
}

// Do sends the patches and reads each back.
func (e elsewhere) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if p.Action != e.action || p.Target.UID != r.Target.UID || p.Target.String() != r.Target.String() || len(p.Writes) != len(p.Also) {
		return event.Receipt{}, refuse(r.Target, "plan is for %s of %s", p.Action, p.Target)
	}
	if len(p.Writes) == 0 {
		return receipt(r, event.ResultNothing, p.Notes...), nil
	}
	if _, _, _, err := e.find(ctx, r); errors.Is(err, ErrGone) {
		return event.Receipt{}, err
	}
	for i, w := range p.Writes {
		to := r
		to.Target = p.Also[i]
		_, err := e.of(nil).Do(ctx, to, event.Plan{Action: e.action, Target: to.Target, Writes: []event.Write{w}})
		if err != nil && !errors.Is(err, ErrGone) {
			return event.Receipt{}, err
		}
	}
	return receipt(r, event.ResultApplied, p.Notes...), nil
}

// Verify looks whether the fields are as they were set.
func (e elsewhere) Verify(ctx context.Context, r Request, p event.Plan, done event.Receipt) (event.Receipt, error) {
	var notes []string
	for _, ref := range p.Also {
		to := r
		to.Target = ref
		seen, err := e.of(nil).Verify(ctx, to, event.Plan{}, receipt(r, event.ResultApplied))
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return done, err
		}
		if seen.Result != event.ResultApplied {
			notes = append(notes, fmt.Sprintf("%s: %s", ref, strings.Join(seen.Notes, "; ")))
		}
	}
	if len(notes) > 0 {
		done.Result, done.Notes = event.ResultPartial, append(done.Notes, notes...)
	}
	return done, nil
}

// held are the objects that show that the step holds them, and those of the
// step's plan: a patch of it may still be on its way.
func (e elsewhere) held(ctx context.Context, r Request) ([]event.Ref, error) {
	var refs []event.Ref
	for _, s := range r.Run.Steps {
		if r.Run.ID+"/"+s.Name == r.Key && s.Plan != nil {
			refs = slices.Clone(s.Plan.Also)
		}
	}
	for _, x := range e.at {
		ok, err := e.Cluster.Serves(ctx, x.Group, x.Version, x.Resource)
		if err != nil && !errors.Is(err, kube.ErrUnserved) {
			return nil, err
		}
		if !ok {
			continue
		}
		list, err := e.Cluster.List(ctx, x.Group, x.Version, x.Resource, "", HeldKey)
		if err != nil {
			return nil, err
		}
		for i := range list {
			rec, err := parseFields(list[i].GetAnnotations())
			ref := x.ref(&list[i])
			known := slices.ContainsFunc(refs, func(o event.Ref) bool { return o.UID == ref.UID })
			if err == nil && rec.holdBy(r.Key) && !known {
				refs = append(refs, ref)
			}
		}
	}
	return refs, nil
}

// Undo puts every object back. One that somebody else changed keeps the others
// from nothing: they are put back first.
func (e elsewhere) Undo(ctx context.Context, r Request, done event.Receipt, end event.AtEnd) (event.Receipt, error) {
	refs, err := e.held(ctx, r)
	if err != nil {
		return event.Receipt{}, err
	}
	var notes []string
	var foreign error
	for _, ref := range refs {
		to := r
		to.Target = ref
		undone, err := e.of(nil).Undo(ctx, to, done, end)
		switch {
		case errors.Is(err, ErrDiffers):
			foreign = errors.Join(foreign, err)
		case err != nil:
			return event.Receipt{}, err
		}
		for _, n := range undone.Notes {
			notes = append(notes, fmt.Sprintf("%s: %s", ref, n))
		}
	}
	if foreign != nil {
		return event.Receipt{}, foreign
	}
	return receipt(r, event.ResultUndone, notes...), nil
}

// Mark writes the hold's end to every object.
func (e elsewhere) Mark(ctx context.Context, r Request) error {
	refs, err := e.held(ctx, r)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		to := r
		to.Target = ref
		if err := e.of(nil).Mark(ctx, to); err != nil {
			return err
		}
	}
	return nil
}
