package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// moving is how long the run may take to hold, and to be over. Beyond it the
// drill is given up, and its hold ends by itself.
const moving = time.Minute

// hold holds the drill: nothing stays of it, whatever it finds.
func (d *Drill) hold(ctx context.Context) Status {
	target, err := d.Cluster.Pod(ctx, d.Config.Namespace, d.Config.Target)
	if err != nil {
		return d.missing(ctx, d.Config.Target, err)
	}
	through, err := d.through(ctx)
	if errors.Is(err, kube.ErrNotFound) {
		return d.missing(ctx, d.Config.Prober, err)
	}
	if err != nil || !through {
		return unknown("not held: the prober does not get through without a quarantine (%v)", err)
	}
	ref := event.PodRef(target.Namespace, target.Name)
	ref.UID = string(target.UID)
	wait := d.Config.Wait.Std()
	// Should nobody end it, the run does so itself, whatever crashed.
	id, err := d.Runs.Begin(ctx, ref, 2*wait+2*moving)
	if err != nil {
		return unknown("not held: %v", err)
	}
	d.begun(ctx, id, time.Now().Add(2*wait+2*moving))
	s := d.tried(ctx, id)
	s.Run = id
	return s
}

// missing is what is known where a pod of the pair can't be read.
func (d *Drill) missing(ctx context.Context, pod string, err error) Status {
	if !errors.Is(err, kube.ErrNotFound) {
		return unknown("not held: %v", err)
	}
	at := d.Config.Namespace
	said, err := d.Cluster.Refusal(ctx, at, pod)
	switch {
	case err != nil:
		return unknown("not held: there is no pod %s/%s; kubectl --namespace %s get events may say why (%v)", at, pod, at, err)
	case said == "":
		return unknown("not held: there is no pod %s/%s, and no Event of a controller says why: is deploy/drill applied?", at, pod)
	}
	return refused("there is no pod %s/%s, because it was refused when it was to be made: %s; let namespace %s have the pair of deploy/drill", at, pod, said, at)
}

func refused(format string, args ...any) Status {
	s := unknown("not held: "+format, args...)
	s.Capability = Refused
	return s
}

// tried follows a run that was begun, and ends it.
func (d *Drill) tried(ctx context.Context, id string) Status {
	run, stands := d.follow(ctx, id, func(r event.Run) bool { return r.State == event.RunHolding })
	if !stands {
		why := notHeld(run)
		s := unknown("not held: %s", why)
		if kube.ByAdmission(why) {
			s = refused("the quarantine of %s was refused, and those of other pods may be: %s; let through what Firebreak's account writes", run.Target, why)
		}
		return s.and(d.end(ctx, id, s.Note))
	}
	began := time.Now()
	cut, looked := d.await(ctx, false)
	took := time.Since(began).Round(time.Second)
	s := Status{Capability: Enforced, Note: fmt.Sprintf("cut off after %s", took)}
	switch {
	case ctx.Err() != nil:
		s = unknown("interrupted: %v", ctx.Err())
	case !cut && looked != nil:
		s = unknown("the prober could not be looked at: %v", looked)
	case !cut:
		s = d.reached(ctx, run, took)
	}
	if err := d.end(ctx, id, fmt.Sprintf("%s: %s", s.Capability, s.Note)); err != nil {
		return s.and(err)
	}
	if s.Capability != Enforced {
		return s
	}
	if back, err := d.await(ctx, true); !back {
		s.Note += fmt.Sprintf(", but not back within %s of the end (%v)", d.Config.Wait.Std(), err)
		return s
	}
	s.Note += ", and back after the end"
	return s
}

// notHeld says why a run did not come to hold.
func notHeld(run event.Run) string {
	why := run.Reason
	for _, s := range run.Steps {
		if s.Error != "" && !strings.Contains(why, s.Error) {
			why = strings.TrimPrefix(why+"; ", "; ") + s.Error
		}
	}
	if why == "" {
		why = fmt.Sprintf("its run came to %q within %s", run.State, moving)
	}
	return why
}

// and is a status with an error of the drill's end, of which it is not known then
// whether anything was left as it was.
func (s Status) and(err error) Status {
	if err != nil {
		s.Note += fmt.Sprintf("; the quarantine of the drill could not be ended: %v", err)
		if s.Capability == Enforced {
			s.Capability = Unknown
		}
		if s.Capability == Unknown && kube.ByAdmission(err.Error()) {
			s.Capability = Refused
		}
	}
	return s
}

// reached says why a pod in quarantine is reached still: by what the policies let
// through now, or although they let nothing through.
func (d *Drill) reached(ctx context.Context, run event.Run, took time.Duration) Status {
	if now, err := d.Runs.Run(ctx, run.ID); err == nil && now.State != event.RunHolding {
		return unknown("the drill's hold was ended meanwhile: its run is %s", now.State)
	}
	s := Status{Capability: Absent, Note: fmt.Sprintf("a quarantined pod was still reached after %s: the cluster does not enforce network policies", took)}
	step := run.Steps[0]
	if d.Verify == nil || step.Plan == nil || step.Receipt == nil {
		return s
	}
	r := action.Request{Key: run.ID + "/" + step.Name, Run: run, Target: run.Target, Now: time.Now().UTC()}
	before := *step.Receipt
	before.Notes = nil
	seen, err := d.Verify.Verify(ctx, r, *step.Plan, before)
	if err != nil {
		s.Note += fmt.Sprintf(" (what leaks could not be looked at: %v)", err)
		return s
	}
	leaks := slices.DeleteFunc(slices.Clone(seen.Notes), func(n string) bool { return !strings.HasPrefix(n, "leaks: ") })
	if len(leaks) == 0 && (seen.Result == event.ResultPartial || seen.Result == event.ResultVoid) {
		leaks = seen.Notes
	}
	if len(leaks) == 0 {
		return s
	}
	return Status{Capability: Leaking, Note: fmt.Sprintf("a quarantined pod was still reached after %s, for policies do not hold it: %s", took, leaks[0])}
}

// end ends the drill's hold, also when the service is about to stop: then it is
// only asked for, and the next responder does it.
func (d *Drill) end(ctx context.Context, id, says string) error {
	rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := d.Runs.End(rest, id, says); err != nil || ctx.Err() != nil {
		return err
	}
	run, _ := d.follow(ctx, id, func(r event.Run) bool { return r.State.Terminal() })
	switch {
	case run.ID == "":
		return nil // it never began
	case !run.State.Terminal():
		return fmt.Errorf("its run is %s still", run.State)
	case run.State == event.RunNeedsHuman:
		return errors.New("its run needs people: " + notHeld(run))
	}
	return nil
}

// follow looks at a run until it is as is asked for. It ends early when the run
// is over, and gives up after a while; then it was not so.
func (d *Drill) follow(ctx context.Context, id string, is func(event.Run) bool) (run event.Run, so bool) {
	_, _ = d.until(ctx, moving, func(ctx context.Context) (bool, error) {
		r, err := d.Runs.Run(ctx, id)
		if err == nil {
			run = r
		}
		return err == nil && (is(r) || r.State.Terminal()), err
	})
	return run, run.ID != "" && is(run)
}

// through says whether the prober gets through: it is ready.
func (d *Drill) through(ctx context.Context) (bool, error) {
	p, err := d.Cluster.Pod(ctx, d.Config.Namespace, d.Config.Prober)
	if err != nil {
		return false, err
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue, nil
		}
	}
	return false, nil
}

// await waits until the prober gets through, or does not; false is that it did
// not come to that in time.
func (d *Drill) await(ctx context.Context, want bool) (bool, error) {
	return d.until(ctx, d.Config.Wait.Std(), func(ctx context.Context) (bool, error) {
		through, err := d.through(ctx)
		return err == nil && through == want, err
	})
}

// until looks until it is so, for a time. The error is that of the last look,
// where none succeeded.
func (d *Drill) until(ctx context.Context, most time.Duration, look func(context.Context) (bool, error)) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	every := d.Tick
	if every == 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen := false
	for {
		so, err := look(ctx)
		if so {
			return true, nil
		}
		seen = seen || err == nil
		select {
		case <-ctx.Done():
			if seen {
				return false, nil // the last look may just have run out of time
			}
			return false, err
		case <-tick.C:
		}
	}
}
