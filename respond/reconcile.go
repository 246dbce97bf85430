package respond

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

const (
	// reconcileEvery is how often the holds of the record are compared with
	// what the cluster shows; an object that no run holds is freed when it was
	// seen so for orphanAge.
	reconcileEvery = 10 * time.Second
	orphanAge      = time.Minute
	// policiesEvery is every how many rounds policies are looked for that no
	// pod needs.
	policiesEvery = 6
	// watchEvery is every how many rounds it is looked whether all that a hold
	// made or changed stands. The holds are spread over these rounds.
	watchEvery = 6
	// maxFreed is how many holds of one object a round frees: somebody who may
	// annotate it can make up thousands, and the others' turn would not come.
	maxFreed = 16
)

// reconciler compares, again and again, the holds that the runs have with
// those that the cluster shows. It is what makes up for writes that came late,
// and for a record that was lost: then objects are freed by what they say
// themselves. One goroutine uses it.
type reconciler struct {
	w *Worker
	// age is how long an orphan is left, mostly orphanAge.
	age time.Duration
	// orphans are when those that nobody wants were first seen, by this
	// process' own clock; gone are the holds whose object is no more; told are
	// those about which the log has been told.
	orphans map[string]time.Time
	gone    map[string]bool
	told    map[string]bool
	// unclaimed are the holds of this round that no run is known of; shown is the
	// hash of how they were stored last.
	unclaimed []Unclaimed
	shown     [sha256.Size]byte
	rounds    int
	// watch is every how many rounds each hold is looked at, mostly watchEvery.
	watch int
}

func newReconciler(w *Worker, age time.Duration) *reconciler {
	return &reconciler{w: w, age: age, orphans: map[string]time.Time{}, gone: map[string]bool{}, told: map[string]bool{}, watch: watchEvery}
}

// run reconciles until ctx ends. What it can't do now it does in the next
// round.
func (r *reconciler) run(ctx context.Context, every time.Duration) error {
	for {
		if err := r.round(ctx); err != nil && ctx.Err() == nil {
			r.w.logger.WarnContext(ctx, "reconcile", "error", err)
		}
		if err := sleep(ctx, every); err != nil {
			return nil
		}
	}
}

// round compares once.
func (r *reconciler) round(ctx context.Context) error {
	found, err := action.Find(ctx, r.w.executor.Deps.Cluster, homes(r.w.executor.Deps)...)
	if err != nil {
		return fmt.Errorf("list what is held: %w", err)
	}
	for _, err := range found.Broken {
		r.once(err.Error(), "a hold's record can't be read", "error", err)
	}
	r.unclaimed = []Unclaimed{}
	errs := []error{r.free(ctx, found.Holdings), r.show(ctx), r.restore(ctx, found.Holdings), r.watchAll(ctx), r.policies(ctx, found.Namespaces)}
	r.rounds++
	return errors.Join(errs...)
}

// once logs a thing one time.
func (r *reconciler) once(key, text string, args ...any) {
	if !r.told[key] && len(r.told) < maxTold {
		r.told[key] = true
		r.w.logger.Warn(text, args...)
	}
}

// free ends the holds that no run has.
func (r *reconciler) free(ctx context.Context, list []action.Holding) error {
	var errs []error
	still, freed := map[string]time.Time{}, map[string]int{}
	for _, h := range list {
		id := h.Action + " " + h.Target.UID + " " + h.Key
		verdict, err := r.judge(ctx, h)
		if err != nil {
			errs = append(errs, err)
		}
		if verdict == wanted {
			continue
		}
		since, ok := r.orphans[id]
		if !ok {
			since = time.Now()
		}
		still[id] = since
		object := cmp.Or(h.Object.UID, h.Object.String())
		if verdict == unknownYet || verdict != overdue && time.Since(since) < r.age || freed[object] == maxFreed {
			continue
		}
		freed[object]++
		if err := r.end(ctx, h); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(still, id)
	}
	r.orphans = still
	return errors.Join(errs...)
}

// claim is what the record says of a hold that the cluster shows.
type claim int

const (
	// wanted: a run has it, or it can't be told now. orphan: its run is over,
	// or never began it. unknownYet: there is no such run, and its time is not
	// up. overdue: there is none, and it is.
	wanted claim = iota
	orphan
	unknownYet
	overdue
)

func (r *reconciler) judge(ctx context.Context, h action.Holding) (claim, error) {
	run, ok := r.w.liveRun(h.Run())
	if !ok {
		if !isID(h.Run()) {
			return r.adopt(h, "no run is called so"), nil
		}
		rec, err := r.w.log.Load(ctx, h.Run())
		switch {
		case errors.Is(err, bus.ErrNotFound):
			return r.adopt(h, ""), nil
		case err != nil:
			return wanted, err
		}
		if run = rec.Run; rec.Unreadable != nil {
			return r.adopt(h, rec.Unreadable.Error()), nil
		}
		if !run.State.Terminal() {
			if _, err := r.w.booksOf.read(run); err != nil {
				return r.adopt(h, "its playbook can't be read: "+err.Error()), nil
			}
			_, err := r.w.adopt(ctx, run.ID)
			if errors.Is(err, runlog.ErrStale) {
				err = nil
			}
			return wanted, err
		}
	}
	at := slices.IndexFunc(run.Steps, func(s event.Step) bool { return s.Name == h.Step() })
	if run.State.Terminal() || at < 0 || !run.Steps[at].Begun || !about(run, at, h.Target.UID) {
		return orphan, nil
	}
	switch s := run.Steps[at]; s.State {
	case event.StepReverted, event.StepSkipped, event.StepDenied, event.StepFailed:
		return orphan, nil // it was undone, and landed later
	}
	return wanted, nil
}

// about says whether step i changes the object of this UID: its target, or one
// that its plan names besides.
func about(run event.Run, i int, uid string) bool {
	if run.StepTarget(i).UID == uid {
		return true
	}
	p := run.Steps[i].Plan
	return p != nil && slices.ContainsFunc(p.Also, func(t event.Ref) bool { return t.UID == uid })
}

// adopt judges a hold whose run is not in the record: the store was lost, or
// somebody made it up. It ends when it says itself. broken says why its record
// can't be had anew; empty is that there is none.
func (r *reconciler) adopt(h action.Holding, broken string) claim {
	now := r.w.now()
	r.unclaimed = append(r.unclaimed, unclaimedOf(h, broken))
	switch {
	case h.Until.IsZero(), h.Until.After(now.Add(maxHold)):
		r.once(h.Key, "a hold that no run is known of has no end; free it by hand", "hold", h.Key, "target", whose(h))
		return unknownYet
	case h.Until.After(now):
		r.once(h.Key, "a hold that no run is known of ends at its time", "hold", h.Key, "target", whose(h), "until", h.Until)
		return unknownYet
	}
	return overdue
}

// whose names what a hold is about: of what Firebreak made the object itself, whose
// target is known by its UID alone.
func whose(h action.Holding) string { return cmp.Or(h.Target.String(), h.Object.String()) }

// end frees an object, unless Firebreak only observes and never held it itself.
func (r *reconciler) end(ctx context.Context, h action.Holding) error {
	ceiling, err := r.w.control.Ceiling(ctx)
	if err != nil {
		return err
	}
	if ceiling == event.ModeObserve && !r.known(ctx, h.Run()) {
		r.once("observe "+h.Key, "a hold that no run is known of is over, and in mode observe nothing is written", "hold", h.Key, "target", whose(h))
		return nil
	}
	now := r.w.now()
	receipt, err := action.End(ctx, r.w.executor.Deps, h, action.Request{Now: now})
	if err != nil {
		return fmt.Errorf("free %s of %s: %w", h.Target, h.Key, err)
	}
	r.w.logger.WarnContext(ctx, "freed what no run holds", "target", whose(h), "uid", h.Target.UID, "hold", h.Key, "action", h.Action,
		"until", h.Until, "result", receipt.Result, "notes", receipt.Notes)
	return nil
}

// known says whether there is a run of that id.
func (r *reconciler) known(ctx context.Context, run string) bool {
	if !isID(run) {
		return false
	}
	_, err := r.w.log.Load(ctx, run)
	return err == nil
}

// isID says whether a text has the shape of our ids.
func isID(s string) bool {
	return len(s) == 32 && !strings.ContainsFunc(s, func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'f') })
}

// restore tells the runs of holds that the cluster does not show.
func (r *reconciler) restore(ctx context.Context, list []action.Holding) error {
	shown := map[string]bool{}
	for _, h := range list {
		shown[h.Target.UID+" "+h.Key] = !h.Loose
	}
	var errs []error
	for _, run := range r.w.liveRuns() {
		for i, s := range run.Steps {
			key, target := run.ID+"/"+s.Name, run.StepTarget(i)
			if !Held(s) || s.Lost || s.Differs != "" || shown[target.UID+" "+key] || r.gone[key] {
				continue
			}
			reason, err := r.missing(ctx, target, key)
			switch {
			case errors.Is(err, errTargetGone):
				r.gone[key] = true
			case err != nil:
				errs = append(errs, err)
			case reason != "":
				r.w.tellLost(run.ID, Lost{Step: i, Reason: reason, Again: s.Again})
			}
		}
	}
	return errors.Join(errs...)
}

var errTargetGone = errors.New("the target is gone")

// missing reads an object that a run holds and that was not shown: the list may
// be older than the hold. It says why the hold is taken for lost; empty is that
// it is there.
func (r *reconciler) missing(ctx context.Context, target event.Ref, key string) (string, error) {
	var uid string
	var annotations, labels map[string]string
	switch {
	case target.IsPod():
		pod, err := r.w.executor.Deps.Cluster.Pod(ctx, target.Namespace, target.Name)
		if errors.Is(err, kube.ErrNotFound) {
			return "", errTargetGone
		}
		if err != nil {
			return "", err
		}
		uid, annotations, labels = string(pod.UID), pod.Annotations, pod.Labels
	case target.IsNode():
		node, err := r.w.executor.Deps.Cluster.Node(ctx, target.Name)
		if errors.Is(err, kube.ErrNotFound) {
			return "", errTargetGone
		}
		if err != nil {
			return "", err
		}
		uid, annotations, labels = string(node.UID), node.Annotations, node.Labels
	default:
		return "", nil
	}
	if uid != target.UID {
		return "", errTargetGone
	}
	holdings, err := action.HoldingsOf(target, labels, annotations)
	at := slices.IndexFunc(holdings, func(h action.Holding) bool { return h.Key == key })
	switch {
	case at < 0 && err != nil:
		return fmt.Sprintf("the record on %s can't be read", target), nil
	case at < 0:
		return fmt.Sprintf("%s does not name it any more", target), nil
	case holdings[at].Loose:
		return fmt.Sprintf("%s has lost the label of the hold", target), nil
	}
	return "", nil
}

// mine are the namespaces of these in which policies may be written: in mode
// observe only those in which an open run holds something still.
func (r *reconciler) mine(ctx context.Context, namespaces []string) ([]string, error) {
	ceiling, err := r.w.control.Ceiling(ctx)
	if err != nil {
		return nil, err
	}
	if ceiling != event.ModeObserve {
		return namespaces, nil
	}
	holds := map[string]bool{}
	for _, run := range r.w.liveRuns() {
		for i, s := range run.Steps {
			if Held(s) {
				holds[run.StepTarget(i).Namespace] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(namespaces), func(ns string) bool { return !holds[ns] }), nil
}

// policies sees to the static policies: there where a pod is quarantined, and
// gone elsewhere.
func (r *reconciler) policies(ctx context.Context, namespaces []string) error {
	cluster := r.w.executor.Deps.Cluster
	var errs []error
	if r.rounds%policiesEvery == 0 {
		all, err := cluster.NetworkPolicies(ctx, "")
		if err != nil && !errors.Is(err, kube.ErrForbidden) {
			errs = append(errs, fmt.Errorf("list policies: %w", err))
		}
		for _, p := range all {
			if p.Name == action.HoldPolicyName && !slices.Contains(namespaces, p.Namespace) {
				namespaces = append(namespaces, p.Namespace)
			}
		}
	}
	namespaces, err := r.mine(ctx, namespaces)
	if err != nil {
		errs = append(errs, err)
	}
	for _, ns := range namespaces {
		if err := action.Sweep(ctx, cluster, ns); err != nil {
			errs = append(errs, fmt.Errorf("policy of namespace %s: %w", ns, err))
		}
	}
	return errors.Join(errs...)
}

// homes is Firebreak's own namespace, if it is known.
func homes(d action.Deps) []string {
	if d.Home == "" {
		return nil
	}
	return []string{d.Home}
}
