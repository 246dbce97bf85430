package action

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// once is an action that can't be undone: conditional deletes and patches of
// objects that its plan names. A kind gives it a name and what to do.
type once struct {
	Deps
	action string
	// list gives the writes, the objects that they are about beside the target,
	// one line that says what it does, and notes. It reads only.
	list func(ctx context.Context, r Request) (writes []event.Write, also []event.Ref, summary string, notes []string, err error)
	// landed says whether an object shows that a patch of this step landed.
	landed func(r Request, o *unstructured.Unstructured) bool
}

// Plan lists the writes.
func (a once) Plan(ctx context.Context, r Request) (event.Plan, error) {
	writes, also, summary, notes, err := a.list(ctx, r)
	p := event.Plan{Action: a.action, Target: r.Target, Also: also, Writes: writes, Summary: summary, Notes: offlineNotes(a.Deps, notes)}
	if err == nil && len(writes) == 0 {
		p.Summary += ": nothing to do"
	}
	return p, err
}

// Do sends the writes in order. What is gone already, or another object by now,
// needs no deleting.
func (a once) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if p.Action != a.action || p.Target.UID != r.Target.UID || p.Target.String() != r.Target.String() {
		return event.Receipt{}, refuse(r.Target, "plan is for %s of %s", p.Action, p.Target)
	}
	if len(p.Writes) == 0 {
		return receipt(r, event.ResultNothing, p.Notes...), nil
	}
	if err := a.there(ctx, r, p); err != nil {
		return event.Receipt{}, err
	}
	for _, w := range p.Writes {
		if err := a.send(ctx, r, w); err != nil {
			return event.Receipt{}, err
		}
	}
	return receipt(r, event.ResultApplied, p.Notes...), nil
}

// there makes sure that the target is the object that the plan is about still.
// One that the plan deletes may be gone.
func (a once) there(ctx context.Context, r Request, p event.Plan) error {
	x, ok := ResourceOf(r.Target)
	if !ok || a.Offline {
		return nil
	}
	o, err := a.Cluster.Get(ctx, x.Group, x.Version, x.Resource, r.Target.Namespace, r.Target.Name)
	deletes := slices.ContainsFunc(p.Writes, func(w event.Write) bool { return w.UID == r.Target.UID && w.Verb == "delete" })
	switch {
	case errors.Is(err, kube.ErrNotFound):
		if deletes {
			return nil
		}
		return gone(r.Target)
	case err == nil && string(o.GetUID()) != r.Target.UID:
		return gone(r.Target)
	}
	return err
}

func (a once) send(ctx context.Context, r Request, w event.Write) error {
	if w.Verb != "delete" && w.Verb != "patch" {
		return refuse(r.Target, "plan lists a %s", w.Verb)
	}
	_, _, err := a.Cluster.Apply(ctx, w, kube.ApplyOptions{})
	if !lost(err) {
		return err
	}
	there, err := a.stands(ctx, r, w)
	if err != nil {
		return err
	}
	if there {
		return conflict(r.Target)
	}
	return nil
}

// stands says whether what a write is to change is still as it was: the object
// of a delete is there, that of a patch without it.
func (a once) stands(ctx context.Context, r Request, w event.Write) (bool, error) {
	o, err := a.Cluster.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
	switch {
	case errors.Is(err, kube.ErrNotFound):
		if w.Verb == "patch" {
			return false, gone(r.Target)
		}
		return false, nil
	case err != nil:
		return false, err
	case string(o.GetUID()) != w.UID:
		if w.Verb == "patch" {
			return false, gone(r.Target)
		}
		return false, nil
	case w.Verb == "delete":
		return o.GetDeletionTimestamp() == nil, nil
	}
	return !a.landed(r, o), nil
}

// Verify reads back whether each write still stands.
func (a once) Verify(ctx context.Context, r Request, p event.Plan, done event.Receipt) (event.Receipt, error) {
	for _, w := range p.Writes {
		o, err := a.Cluster.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
		switch {
		case errors.Is(err, kube.ErrNotFound) || err == nil && string(o.GetUID()) != w.UID:
			continue
		case err != nil:
			return done, err
		case w.Verb == "delete" && o.GetDeletionTimestamp() == nil:
			done.Result, done.Notes = event.ResultVoid, append(done.Notes, fmt.Sprintf("%s %s is still there", w.Resource, w.Name))
		case w.Verb == "delete":
			waits := finalizers(o)
			if waits != "" {
				done.Result = event.ResultPartial
			}
			done.Notes = append(done.Notes, fmt.Sprintf("%s %s is on its way out%s", w.Resource, w.Name, waits))
		case !a.landed(r, o):
			done.Result, done.Notes = event.ResultVoid, append(done.Notes, fmt.Sprintf("%s %s was changed back right after", w.Resource, w.Name))
		}
	}
	return done, nil
}

// finalizers says whom the end of an object waits for, besides the garbage
// collector.
func finalizers(o *unstructured.Unstructured) string {
	f := slices.DeleteFunc(o.GetFinalizers(), func(s string) bool {
		return s == metav1.FinalizerOrphanDependents || s == metav1.FinalizerDeleteDependents
	})
	if len(f) > 0 {
		return fmt.Sprintf(", and waits for %v", f)
	}
	return ""
}

// Undo gives [ErrIrreversible].
func (once) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}
