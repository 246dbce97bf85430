package respond

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// keyUnclaimed is where the holds without a record are, among the snapshots.
const keyUnclaimed = "unclaimed"

// The bounds of what is stored of them: somebody who may annotate objects can make up
// any number. What is left out is counted.
const (
	maxUnclaimed      = 10_000
	maxUnclaimedBytes = 32 << 20
	// maxBacking is how much is kept of a line of how a hold is ended by hand.
	maxBacking = 1000
)

// Unclaimeds are the holds without a record, in their order.
type Unclaimeds struct {
	Holds []Unclaimed `json:"holds"`
	// More is how many there are besides that are too many to be stored.
	More int `json:"more,omitempty"`
}

// Unclaimed is a hold that the cluster shows and no run is known of: the record
// was lost, or somebody made it up. All of it is what the object says.
type Unclaimed struct {
	// Run and Step are those that the object names, Action the kind of step.
	Run    string `json:"run"`
	Step   string `json:"step"`
	Action string `json:"action"`
	// Object is where the hold shows.
	Object event.Ref `json:"object"`
	// Until is when it ends by itself; zero is never.
	Until time.Time `json:"until,omitzero"`
	// Broken says why it can't be freed by its run's id; empty is that it can.
	Broken string      `json:"broken,omitempty"`
	Back   action.Back `json:"back"`
}

// locksOut is the kind of step that keeps somebody out. Whom, its record said: who
// is kept out must not end that with the same credential, so nobody can by a run's
// id alone.
const locksOut = "identity.deny"

// unclaimedOf bounds what the object says: ids and names of Firebreak's own are
// shorter than that.
func unclaimedOf(h action.Holding, broken string) Unclaimed {
	if h.Action == locksOut && broken == "" {
		broken = "whom it keeps out is not known without its record"
	}
	u := Unclaimed{
		Run: event.Shorten(h.Run(), 64), Step: event.Shorten(h.Step(), event.MaxNote), Action: event.Shorten(h.Action, 64), Object: h.Object,
		Until: h.Until, Broken: event.Shorten(broken, event.MaxNote), Back: action.Back{Says: h.Back.Says},
	}
	for _, c := range h.Back.Commands {
		u.Back.Commands = append(u.Back.Commands, event.Shorten(c, maxBacking))
	}
	if !h.Until.IsZero() && h.Until.Year() > 9999 {
		u.Until = time.Time{} // no JSON says it
	}
	u.Object.Labels = nil
	return u
}

// Place is where a hold stands in the order of all: by its run, its step and its
// object. No two have the same.
func (u Unclaimed) Place() string {
	return strings.Join([]string{u.Run, u.Step, u.Object.Group, u.Object.String(), u.Action}, "\x00")
}

// Unclaimed are the holds that the cluster showed when the active responder looked
// last, some seconds ago, and that no run is known of.
func (c *Control) Unclaimed(ctx context.Context) (all Unclaimeds, err error) {
	data, err := c.snapshots.Get(ctx, keyUnclaimed)
	for range 3 { // it was stored twice while it was read
		if !errors.Is(err, bus.ErrDamaged) {
			break
		}
		data, err = c.snapshots.Get(ctx, keyUnclaimed)
	}
	if errors.Is(err, bus.ErrNotFound) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		return all, fmt.Errorf("read holds without a record: %w", err)
	}
	return all, nil
}

// bounded orders holds without a record, and keeps those that are stored.
func bounded(list []Unclaimed) (Unclaimeds, error) {
	slices.SortFunc(list, func(a, b Unclaimed) int { return cmp.Compare(a.Place(), b.Place()) })
	all := Unclaimeds{Holds: slices.CompactFunc(slices.Clone(list), func(a, b Unclaimed) bool { return a.Place() == b.Place() })}
	size := 0
	for i, u := range all.Holds {
		data, err := json.Marshal(u)
		if err != nil {
			return all, err
		}
		if size += len(data); i == maxUnclaimed || size > maxUnclaimedBytes {
			all.Holds = all.Holds[:i]
			break
		}
	}
	all.More = len(list) - len(all.Holds)
	return all, nil
}

// show stores the unclaimed holds of this round for people, if they are others than
// those that are stored. What is stored it looks at once a minute: a responder that
// was the active one may have written late.
func (r *reconciler) show(ctx context.Context) error {
	all, err := bounded(r.unclaimed)
	if err != nil {
		return fmt.Errorf("show holds without a record: %w", err)
	}
	data, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("show holds without a record: %w", err)
	}
	snapshots, sum := r.w.control.snapshots, sha256.Sum256(data)
	if r.rounds%policiesEvery == 0 {
		stored, err := snapshots.Get(ctx, keyUnclaimed)
		if err != nil && !errors.Is(err, bus.ErrNotFound) && !errors.Is(err, bus.ErrDamaged) {
			return fmt.Errorf("show holds without a record: %w", err)
		}
		r.shown = sha256.Sum256(stored)
	}
	if sum == r.shown {
		return nil
	}
	if err := snapshots.Put(ctx, keyUnclaimed, data); err != nil {
		return fmt.Errorf("show holds without a record: %w", err)
	}
	r.shown = sum
	return nil
}

// AdoptedName is the playbook of runs whose record was lost, as their new record
// names it.
const AdoptedName = "record-lost"

// adoptedStep is its one step, of which each hold is one.
const adoptedStep = "found-on-the-cluster"

// release has what the cluster shows of a run put back that is not on record: the
// run's new record begins with the undo, under the name of who asked. What is on
// record it leaves alone.
func (w *Worker) release(ctx context.Context, in event.Input) error {
	rec, err := w.log.Find(ctx, in.Run)
	if err == nil && rec.Run.Adopted {
		_, err = w.adopt(ctx, in.Run) // it was asked for twice, or the answer was lost
		return err
	}
	if err == nil {
		w.logger.WarnContext(ctx, "a run is on record: it is not put back by what the cluster shows", "run", in.Run, "user", in.User)
		return nil
	}
	if !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	found, err := action.Find(ctx, w.executor.Deps.Cluster, homes(w.executor.Deps)...)
	if err != nil {
		return fmt.Errorf("list what is held: %w", err)
	}
	run, err := adopted(in, found.Holdings, w.now())
	if err != nil {
		return err
	}
	if len(run.Steps) == 1 {
		w.logger.WarnContext(ctx, "nothing of a run is held any more", "run", in.Run, "user", in.User)
		return nil
	}
	w.logger.WarnContext(ctx, "what a lost run holds is put back", "run", in.Run, "user", in.User, "reason", in.Reason, "target", run.Target.String())
	return w.store(ctx, run, nil)
}

// adopted is the first record of a run that was lost, by what the cluster shows of
// it: its holds are to be undone. It is pure.
func adopted(in event.Input, holds []action.Holding, now time.Time) (event.Run, error) {
	book, err := adoptedBook()
	if err != nil {
		return event.Run{}, fmt.Errorf("put back run %s: %w: %w", in.Run, errNoBook, err) // it never will be one
	}
	f := event.Finding{
		ID: event.HashID("adopted", in.Run), Rule: AdoptedName, Title: "a run whose record was lost", Severity: event.SeverityLow, Score: 1,
		Explanation: in.Reason, Source: event.SourceControl, Trust: event.TrustAudit, Time: in.Time, Received: in.Time,
	}
	run := Begin(book, event.Incident{ID: f.ID}, f, event.Ref{}, event.ModeAct, now)
	run.ID, run.Adopted, run.Starter, run.State = in.Run, true, in.User, event.RunReverting
	run.Reason = undoneBy + in.User
	run.Said = []event.Saying{{Kind: event.InputUndo, User: in.User, Reason: in.Reason, AtEnd: event.AtEndRestore, Over: true, Time: in.Time}}
	run.Steps[0].State = event.StepExpanded
	for _, h := range holds {
		if h.Run() != in.Run || slices.ContainsFunc(run.Steps, func(s event.Step) bool { return s.Name == h.Step() }) {
			continue
		}
		object, until := h.Object, h.Until
		if run.Target.Name == "" {
			run.Target = object
		}
		run.Steps = append(run.Steps, event.Step{
			Name: h.Step(), Of: adoptedStep, Action: h.Action, Target: &object, State: event.StepReverting, Begun: true, Until: &until,
			AtEnd: event.AtEndRestore, Over: true,
		})
	}
	return run, nil
}

// adoptedBook is the playbook of such a run: it only says of what its steps are.
func adoptedBook() (*Playbook, error) {
	docs, err := conf.Documents("adopted", fmt.Appendf(nil, `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: %s}
spec:
  title: What is put back of a run whose record was lost
  when: finding.rule == "%s"
  mode: act
  steps:
    - {name: %s, action: pod.quarantine, for_each: "[]", undo_after: 1h, at_end: restore}
`, AdoptedName, AdoptedName, adoptedStep))
	if err != nil {
		return nil, err
	}
	return ParsePlaybook(docs[0])
}

// putBack ends what the cluster shows of step i of a run whose record was lost, by
// what the objects say. What others changed since stays.
func (x *Executor) putBack(ctx context.Context, run event.Run, i int, now time.Time) Done {
	d := Done{Step: i}
	key := run.ID + "/" + run.Steps[i].Name
	found, err := action.Find(ctx, x.Deps.Cluster, homes(x.Deps)...)
	d.Receipt = event.Receipt{Key: key, Result: event.ResultUndone, Time: now}
	for _, h := range found.Holdings {
		if h.Key != key || err != nil {
			continue
		}
		var one event.Receipt
		if one, err = action.End(ctx, x.Deps, h, action.Request{Run: run, Now: now}); err == nil {
			d.Receipt.Notes = append(append(d.Receipt.Notes, h.Object.String()+" is "+string(one.Result)), one.Notes...)
		}
	}
	if err != nil {
		d.Failure, d.Error = classify(err), fmt.Sprintf("put back by what the objects say: %v", err)
	}
	return d
}
