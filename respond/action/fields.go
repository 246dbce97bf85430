package action

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// fields is an action that changes fields of its target by one conditional
// patch and nothing else: replicas, a taint, an annotation. Several steps may
// hold one field at one value; the last to end puts back what was there, where
// the value is still Firebreak's. A kind gives it a name, its resources, and
// what to change.
type fields struct {
	Deps
	action string
	// at are the resources of the target; the one whose name is the target's is
	// taken.
	at []Resource
	// want gives what to change of the target as it is, one line that says what
	// it does, and notes for the plan. It reads only.
	want func(ctx context.Context, r Request, target *unstructured.Unstructured) (list []field, summary string, notes []string, err error)
	// look, if there is one, says how far the change has its effect, once it
	// stands as it was written.
	look func(ctx context.Context, r Request, target *unstructured.Unstructured) (event.Result, []string, error)
}

// resource is that of a target.
func (f fields) resource(target event.Ref) (Resource, error) {
	for _, x := range f.at {
		if x.Resource == target.Resource && x.Group == target.Group {
			return x, nil
		}
	}
	works := make([]string, len(f.at))
	for i, x := range f.at {
		works[i] = x.Resource
	}
	return Resource{}, refuse(target, "%s works on %s alone", f.action, strings.Join(works, " and "))
}

func (f fields) read(ctx context.Context, target event.Ref) (*unstructured.Unstructured, Resource, error) {
	x, err := f.resource(target)
	if err != nil {
		return nil, x, err
	}
	o, err := readObject(ctx, f.Deps, x, target)
	return o, x, err
}

// Plan lists one patch, or none when all is as wanted already and nobody of
// Firebreak's holds it.
func (f fields) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p := event.Plan{Action: f.action, Target: r.Target, Reversible: true}
	o, x, err := f.read(ctx, r.Target)
	if err != nil {
		return p, err
	}
	list, summary, notes, err := f.want(ctx, r, o)
	if err != nil {
		return p, err
	}
	rec, err := parseFields(o.GetAnnotations())
	if err != nil {
		notes = append(notes, "the record of what is held can't be read and is replaced")
	}
	patch, before := object{}, map[string]any{}
	for _, w := range list {
		hold, held := rec[w.id()]
		if others := hold.Runs.others(r.Key); held && len(others) > 0 && !equalJSON(hold.Value, w.Value) {
			return p, refuse(r.Target, "%s is held at %s by %s", strings.Join(w.Path, "."), canonical(hold.Value), strings.Join(others, ", "))
		}
		if !held && w.holdsNow(o.Object) {
			notes = append(notes, w.String()+": is so already and stays so")
			continue
		}
		if !held || !hold.holdsNow(o.Object) {
			hold = fieldHold{field: w, Runs: hold.Runs}
			hold.Before = rec.before(w, o.Object)
		}
		hold.Runs = hold.Runs.with(r.Key, Holder{Until: r.Until, Action: f.action})
		rec[w.id()], before[w.id()] = hold, hold.Before
		w.put(patch, o.Object)
	}
	p.Notes = offlineNotes(f.Deps, notes)
	p.Summary = summary
	if len(before) == 0 {
		p.Summary = summary + ": nothing to do"
		return p, nil
	}
	w := x.on("patch", o)
	if w.Body, err = fieldsPatch(patch, rec, o.GetAnnotations()); err != nil {
		return p, err
	}
	p.Writes = []event.Write{w}
	p.Before, err = encode(object{"fields": before})
	return p, err
}

// fieldsPatch adds the record, and the label by which it is found.
func fieldsPatch(patch object, rec fieldRecord, annotations map[string]string) ([]byte, error) {
	if len(rec) == 0 {
		setAt(patch, []string{"metadata", "annotations", FieldsKey}, nil)
		if !heldOtherwise(annotations, FieldsKey) {
			setAt(patch, []string{"metadata", "labels", HeldKey}, nil)
		}
		return encode(patch)
	}
	text, err := encode(rec)
	if err != nil {
		return nil, err
	}
	setAt(patch, []string{"metadata", "annotations", FieldsKey}, string(text))
	setAt(patch, []string{"metadata", "labels", HeldKey}, HeldYes)
	return encode(patch)
}

// Do sends the patch and reads it back.
func (f fields) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	landed := func() (bool, error) {
		o, _, err := f.read(ctx, r.Target)
		if err != nil {
			return false, err
		}
		rec, err := parseFields(o.GetAnnotations())
		return err == nil && rec.holdBy(r.Key), nil
	}
	return patchTarget(ctx, f.Deps, f.action, r.Target.Resource, r, p, landed)
}

// Verify looks whether the fields are as they were set.
func (f fields) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	o, _, err := f.read(ctx, r.Target)
	if err != nil {
		return done, err
	}
	rec, err := parseFields(o.GetAnnotations())
	if err != nil {
		return done, err
	}
	var wrong []string
	for _, id := range slices.Sorted(maps.Keys(rec)) {
		if _, mine := rec[id].Runs[r.Key]; mine && !rec[id].holdsNow(o.Object) {
			wrong = append(wrong, rec[id].String()+": somebody changed it right after")
		}
	}
	switch {
	case !rec.holdBy(r.Key):
		return changed(done, event.ResultVoid, "the hold was taken off right after it was set"), nil
	case len(wrong) > 0:
		return changed(done, event.ResultPartial, wrong...), nil
	case f.look == nil:
		return done, nil
	}
	result, notes, err := f.look(ctx, r, o)
	if err != nil {
		return done, err
	}
	return changed(done, result, notes...), nil
}

// Undo puts back each field that nobody else holds and whose value is still the
// one that was set. It needs no parameters: the object says what is held.
func (f fields) Undo(ctx context.Context, r Request, done event.Receipt, _ event.AtEnd) (event.Receipt, error) {
	for range attempts {
		o, x, err := f.read(ctx, r.Target)
		if errors.Is(err, ErrGone) {
			return receipt(r, event.ResultGone), nil
		}
		if err != nil {
			return event.Receipt{}, err
		}
		rec, err := parseFields(o.GetAnnotations())
		if err != nil {
			return event.Receipt{}, err
		}
		if !rec.holdBy(r.Key) {
			err := fence(ctx, f.Cluster, r.Key, done, x.on("patch", o))
			if lost(err) {
				continue
			}
			return receipt(r, event.ResultUndone), err
		}
		patch, notes, foreign := rec.leave(r.Key, o.Object)
		if len(foreign) > 0 && !r.Over {
			return event.Receipt{}, differs(r.Target, foreign)
		}
		w := x.on("patch", o)
		if w.Body, err = fieldsPatch(patch, rec, o.GetAnnotations()); err != nil {
			return event.Receipt{}, err
		}
		_, _, err = f.Cluster.Apply(ctx, w, kube.ApplyOptions{})
		if lost(err) {
			continue
		}
		return receipt(r, event.ResultUndone, notes...), err
	}
	return event.Receipt{}, conflict(r.Target)
}

// leave takes key out of the record and gives the patch that puts back what it
// held, and what somebody else changed of that since, which stays. A field that
// the action has no business with is left alone: whoever may edit the object may
// have written it into the record.
func (rec fieldRecord) leave(key string, now object) (patch object, notes, foreign []string) {
	patch = object{}
	for _, id := range slices.Sorted(maps.Keys(rec)) {
		h := rec[id]
		holder, mine := h.Runs[key]
		if !mine {
			continue
		}
		if others := h.Runs.others(key); len(others) > 0 {
			h.Runs = h.Runs.without(key)
			rec[id] = h
			notes = append(notes, fmt.Sprintf("%s is still held by %s", strings.Join(h.Path, "."), strings.Join(others, ", ")))
			continue
		}
		delete(rec, id)
		switch {
		case !mayHold(holder.Action, h.Path):
			foreign = append(foreign, fmt.Sprintf("%s is no field of %s and is left", strings.Join(h.Path, "."), holder.Action))
		case !h.holdsNow(now):
			if v, present := valueAt(now, h.Path); h.Op == fieldSet && present == (h.Before != nil) && equalJSON(v, h.Before) {
				notes = append(notes, strings.Join(h.Path, ".")+" was put back meanwhile")
				continue
			}
			foreign = append(foreign, fmt.Sprintf("%s: was changed meanwhile and is left", h))
		default:
			h.putBack(patch, now)
		}
	}
	return patch, append(notes, foreign...), foreign
}

// mayHold says whether a kind of action changes such a field.
func mayHold(action string, path []string) bool {
	kind, ok := Lookup(action)
	if !ok {
		return false
	}
	at := field{Path: path}.id()
	return slices.ContainsFunc(kind.Fields, func(prefix string) bool { return at == prefix || strings.HasPrefix(at, prefix+"/") })
}

// Mark writes the hold's end to the target.
func (f fields) Mark(ctx context.Context, r Request) error {
	return mark(ctx, f.Cluster, r.Target, func() (event.Write, bool, error) {
		o, x, err := f.read(ctx, r.Target)
		if err != nil {
			return event.Write{}, false, err
		}
		rec, err := parseFields(o.GetAnnotations())
		if err != nil || !rec.holdBy(r.Key) {
			return event.Write{}, false, nil
		}
		for id, h := range rec {
			if _, mine := h.Runs[r.Key]; mine {
				h.Runs = h.Runs.until(r.Key, r.Until)
				rec[id] = h
			}
		}
		w := x.on("patch", o)
		w.Body, err = fieldsPatch(object{}, rec, o.GetAnnotations())
		return w, true, err
	})
}
