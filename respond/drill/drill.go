// Package drill proves again and again that containment works in this cluster,
// end to end: it quarantines one pod of a pair, as a playbook would, and looks
// whether the other, which keeps connecting to it, is cut off. The pair is the
// operator's (deploy/drill); the second says by its readiness whether it gets
// through, so that the drill needs no rights but those of the quarantine.
package drill

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// Config says whether, how often and on what the drill is held.
type Config struct {
	// Every is how often; zero is never.
	Every conf.Duration `yaml:"every"`
	// Wait is how long the prober may take to be cut off, and to be back.
	Wait conf.Duration `yaml:"wait"`
	// Namespace is that of the pair. Target is the pod that is quarantined, Prober
	// the one that connects to it.
	Namespace string `yaml:"namespace"`
	Target    string `yaml:"target"`
	Prober    string `yaml:"prober"`
	// Page are receivers that are told when containment stops working, and when
	// it works again.
	Page []string `yaml:"page"`
}

// DefaultConfig is what holds where the operator says nothing: no drill.
func DefaultConfig() Config {
	return Config{Wait: conf.Duration(30 * time.Second), Namespace: "firebreak-drill", Target: "target-0", Prober: "prober-0"}
}

// Capability is what is known of the enforcement of policies in a cluster.
type Capability string

// The capabilities. Unknown is before the first drill, and when one could not be
// held.
const (
	Enforced Capability = "enforced"
	Unknown  Capability = "unknown"
	Absent   Capability = "absent"
)

// Status is what the last drill found.
type Status struct {
	Capability Capability
	At         time.Time
	Note       string
}

// Cluster is what the drill looks at besides what the action does.
type Cluster interface {
	Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error)
}

// Drill holds drills. Its methods may be called concurrently.
type Drill struct {
	Config  Config
	Cluster Cluster
	// Action is pod.quarantine.
	Action action.Action
	// Control says whether anything may be done now, Active whether this is the
	// responder that acts.
	Control guard.Control
	Active  func() bool
	Outbox  action.Outbox
	Logger  *slog.Logger
	// Tick is how often the prober is looked at; a second when zero.
	Tick time.Duration

	mu   sync.Mutex
	last Status
}

// Status is what the last drill found; it is unknown when that was longer ago
// than three times the interval.
func (d *Drill) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last.Capability == "" || time.Since(d.last.At) > 3*d.Config.Every.Std() {
		return Status{Capability: Unknown, At: d.last.At, Note: "no drill lately"}
	}
	return d.last
}

// Run holds drills until ctx ends, the first after a minute.
func (d *Drill) Run(ctx context.Context) {
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if d.Active() {
			d.Once(ctx)
		}
		timer.Reset(d.Config.Every.Std())
	}
}

// Once holds one drill, and tells people if what it finds is news.
func (d *Drill) Once(ctx context.Context) Status {
	before := d.Status()
	now := d.hold(ctx)
	now.At = time.Now().UTC()
	d.mu.Lock()
	d.last = now
	d.mu.Unlock()
	d.Logger.InfoContext(ctx, "containment drill", "capability", now.Capability, "note", now.Note)
	if ctx.Err() == nil {
		d.tell(ctx, before, now)
	}
	return now
}

func unknown(format string, args ...any) Status {
	return Status{Capability: Unknown, Note: fmt.Sprintf(format, args...)}
}

// hold holds the drill: nothing stays of it, whatever it finds.
func (d *Drill) hold(ctx context.Context) Status {
	if why := d.barred(ctx); why != "" {
		return unknown("not held: %s", why)
	}
	target, err := d.Cluster.Pod(ctx, d.Config.Namespace, d.Config.Target)
	if err != nil {
		return unknown("not held: %v", err)
	}
	if through, err := d.through(ctx); err != nil || !through {
		return unknown("not held: the prober does not get through without a quarantine (%v)", err)
	}
	began := time.Now().UTC()
	ref := event.PodRef(target.Namespace, target.Name)
	ref.UID = string(target.UID)
	// A crash in between leaves a hold that no run has: the reconciler ends it
	// when its time is up.
	r := action.Request{
		Key: fmt.Sprintf("drill-%d/isolate", began.Unix()), Target: ref, Now: began,
		Until: began.Add(d.Config.Wait.Std() + time.Minute), Over: true,
	}
	plan, err := d.Action.Plan(ctx, r)
	if err != nil {
		return unknown("not held: %v", err)
	}
	done, err := d.Action.Do(ctx, r, plan)
	if err != nil {
		return unknown("not held: %v", errors.Join(err, d.end(ctx, r, done)))
	}
	cut, looked := d.await(ctx, false)
	took := time.Since(began).Round(time.Second)
	if err := d.end(ctx, r, done); err != nil {
		return unknown("the quarantine of the drill could not be ended: %v", err)
	}
	switch {
	case ctx.Err() != nil:
		return unknown("interrupted: %v", ctx.Err())
	case !cut && looked != nil:
		return unknown("the prober could not be looked at: %v", looked)
	case !cut:
		return Status{Capability: Absent, Note: fmt.Sprintf("a quarantined pod was still reached after %s: the cluster does not enforce network policies", took)}
	}
	if back, err := d.await(ctx, true); !back {
		return Status{Capability: Enforced, Note: fmt.Sprintf("cut off after %s, but not back within %s of the end (%v)", took, d.Config.Wait.Std(), err)}
	}
	return Status{Capability: Enforced, Note: fmt.Sprintf("cut off after %s, and back after the end", took)}
}

// barred says why nothing may be written now.
func (d *Drill) barred(ctx context.Context) string {
	paused, by, err := d.Control.Paused(ctx)
	if err != nil || paused {
		return fmt.Sprintf("paused by %s (%v)", by, err)
	}
	mode, err := d.Control.Ceiling(ctx)
	if err != nil || mode == event.ModeObserve {
		return fmt.Sprintf("the mode is %s (%v)", mode, err)
	}
	return ""
}

// end ends the drill's hold, also when the service is about to stop.
func (d *Drill) end(ctx context.Context, r action.Request, done event.Receipt) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_, err := d.Action.Undo(ctx, r, done, event.AtEndRestore)
	return err
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
	ctx, cancel := context.WithTimeout(ctx, d.Config.Wait.Std())
	defer cancel()
	every := d.Tick
	if every == 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	seen := false
	for {
		through, err := d.through(ctx)
		if err == nil && through == want {
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

// tell pages when containment does not work any more, and says when it does.
func (d *Drill) tell(ctx context.Context, before, now Status) {
	m := notify.Message{
		Incident: "containment-drill", Op: notify.Trigger, Key: fmt.Sprintf("drill-%d/page", now.At.Unix()),
		Notice: notify.Notice{Title: "Containment does not work: " + now.Note, Severity: event.SeverityCritical},
	}
	switch {
	case now.Capability == Absent && before.Capability != Absent:
	case now.Capability == Enforced && before.Capability == Absent:
		m.Op, m.Notice.Title = notify.Resolve, "Containment works again: "+now.Note
	case now.Capability == Unknown && before.Capability == Enforced:
		m.Notice.Title, m.Notice.Severity = "Containment could not be tried: "+now.Note, event.SeverityMedium
	default:
		return
	}
	if d.Outbox == nil {
		return
	}
	for _, to := range d.Config.Page {
		m.Receiver = to
		if err := d.Outbox.Put(ctx, m); err != nil {
			d.Logger.ErrorContext(ctx, "page of the containment drill", "receiver", to, "error", err)
		}
	}
}

// Works says what is known of enforcement, for verifying a quarantine and for
// guards. A nil drill knows nothing.
func (d *Drill) Works() (works, known bool, note string) {
	if d == nil || d.Config.Every == 0 {
		return false, false, "no drill is held"
	}
	s := d.Status()
	return s.Capability == Enforced, s.Capability != Unknown, fmt.Sprintf("drill: enforcement is %s (%s)", s.Capability, s.Note)
}
