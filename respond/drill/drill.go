// Package drill proves again and again that containment works in this cluster,
// end to end: an ordinary run quarantines one pod of a pair, with the guards, the
// record and the undo of any other, and the drill looks whether the other, which
// keeps connecting to it, is cut off. The pair is the operator's (deploy/drill);
// the second says by its readiness whether it gets through, so that the drill
// needs no rights but those of the quarantine, and to list Events in the namespace of
// the pair, to say who refused a pod of it.
package drill

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
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
	// Absent: by all policies nothing gets through, and something did.
	Absent Capability = "absent"
	// Leaking: something got through that the policies in the pair's namespace
	// let through. It says nothing of other namespaces.
	Leaking Capability = "leaking"
	// Refused: admission did not take the pair, the quarantine or its end, so that
	// nothing is proved, and quarantines elsewhere may be refused too.
	Refused Capability = "refused"
)

// Status is what the last drill found.
type Status struct {
	Capability Capability `json:"capability"`
	At         time.Time  `json:"at"`
	Note       string     `json:"note"`
	// Run is the drill's run, where one was begun.
	Run string `json:"run,omitempty"`
	// later says that another drill is under way: it is tried again soon.
	later bool
}

// Cluster is what the drill looks at besides what the action does.
type Cluster interface {
	Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error)
	// Refusal is why a pod that is not there could not be made; empty if that is
	// not known. It takes a right of its own, and the drill does without.
	Refusal(ctx context.Context, namespace, pod string) (string, error)
}

// Runs begins the runs that drills are, and follows them. [*respond.Drills] is
// one.
type Runs interface {
	Begin(ctx context.Context, target event.Ref, hold time.Duration) (run string, err error)
	Run(ctx context.Context, id string) (event.Run, error)
	End(ctx context.Context, id, says string) error
}

// Store keeps what the last drill found, for the next responder: [*bus.KV].
type Store interface {
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	Put(ctx context.Context, key string, value []byte) (revision uint64, err error)
}

// Drill holds drills. Its methods may be called concurrently.
type Drill struct {
	Config  Config
	Cluster Cluster
	Runs    Runs
	// Verify is pod.quarantine's; it names what leaks.
	Verify action.Verifier
	// Control says whether anything may be done now, Active whether this is the
	// responder that acts.
	Control guard.Control
	Active  func() bool
	Outbox  action.Outbox
	// Store is where the last outcome is kept; nil is in memory alone.
	Store  Store
	Logger *slog.Logger
	// Tick is how often the prober and the run are looked at; a second when zero.
	Tick time.Duration

	mu   sync.Mutex
	last memory
}

// Status is what the last drill found; it is unknown when that was longer ago
// than three times the interval.
func (d *Drill) Status() Status {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.last.Status
	if s.Capability == "" || time.Since(s.At) > 3*d.Config.Every.Std() {
		return Status{Capability: Unknown, At: s.At, Note: "no drill lately"}
	}
	return s
}

// Run holds drills until ctx ends, the first after a minute. One that finds
// another under way, which a responder before may have left, is held later.
func (d *Drill) Run(ctx context.Context) {
	timer := time.NewTimer(min(time.Minute, d.Config.Every.Std()))
	defer timer.Stop()
	d.load(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := d.Config.Every.Std()
		if !d.Active() {
			d.load(ctx) // what the one that acts has found
		} else if s := d.Once(ctx); s.later {
			next = min(next, moving)
		}
		timer.Reset(next)
	}
}

// Once holds one drill, and tells people if what it finds is news. What it finds
// is kept, but not that none could be held because operators hold everything back.
func (d *Drill) Once(ctx context.Context) Status {
	d.load(ctx)
	if why := d.barred(ctx); why != "" {
		s := unknown("not held: %s", why)
		d.Logger.InfoContext(ctx, "containment drill", "capability", s.Capability, "note", s.Note)
		return s
	}
	if id := d.underWay(ctx); id != "" {
		s := unknown("not held: drill %s is under way still", id)
		s.later = true
		d.Logger.InfoContext(ctx, "containment drill", "capability", s.Capability, "note", s.Note)
		return s
	}
	now := d.hold(ctx)
	now.At = time.Now().UTC()
	d.Logger.InfoContext(ctx, "containment drill", "capability", now.Capability, "note", now.Note, "run", now.Run)
	if ctx.Err() == nil {
		d.keep(ctx, now)
	}
	return now
}

func unknown(format string, args ...any) Status {
	return Status{Capability: Unknown, Note: fmt.Sprintf(format, args...)}
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

// Works says what is known of enforcement, for verifying a quarantine and for
// guards. That policies let something through in the pair's namespace says
// nothing of others. A nil drill knows nothing.
func (d *Drill) Works() (works, known bool, note string) {
	if d == nil || d.Config.Every == 0 {
		return false, false, "no drill is held"
	}
	s := d.Status()
	known = s.Capability == Enforced || s.Capability == Absent
	return s.Capability == Enforced, known, fmt.Sprintf("drill: enforcement is %s (%s)", s.Capability, s.Note)
}

// Contains says whether containment worked in the last drill, for whatever
// reason it did not.
func (d *Drill) Contains() (works, known bool, note string) {
	s := d.Status()
	return s.Capability == Enforced, s.Capability != Unknown && s.Capability != Refused, s.Note
}
