package respond

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// DrillName is the playbook of drills, as their runs name it. No other one can
// have the name.
const DrillName = "containment-drill"

// drillUser is who ends a drill, as its record says.
const drillUser = "containment drill"

// Drills begins drills of containment and follows them. Each is a run as any
// other: it is recorded, guarded, verified and ended by the responder that is
// active. It may be used concurrently.
type Drills struct {
	bus *bus.Bus
	log *runlog.Log
}

// NewDrills begins them by way of a store.
func NewDrills(b *bus.Bus) *Drills { return &Drills{b, runlog.New(b, 0)} }

// Begin asks for a drill on a pod, which ends by itself after hold at the
// latest. It gives the id that the run is to have.
func (d *Drills) Begin(ctx context.Context, target event.Ref, hold time.Duration) (run string, err error) {
	now := time.Now().UTC()
	in := event.Input{Run: event.HashID("drill", rand.Text()), Kind: event.InputDrill, User: drillUser, Target: target, Time: now, Until: now.Add(hold)}
	return in.Run, d.say(ctx, in)
}

// Run is the drill as it stands. [bus.ErrNotFound] says that no responder has
// begun it yet.
func (d *Drills) Run(ctx context.Context, id string) (event.Run, error) {
	rec, err := d.log.Load(ctx, id)
	return rec.Run, err
}

// End asks for the end of a drill; says is what it found, for the record.
func (d *Drills) End(ctx context.Context, id, says string) error {
	return d.say(ctx, event.Input{
		Run: id, Kind: event.InputUndo, User: drillUser, Reason: says, AtEnd: event.AtEndRestore, Over: true, Time: time.Now().UTC(),
	})
}

func (d *Drills) say(ctx context.Context, in event.Input) error {
	in.ID = rand.Text()
	data, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode input: %w", err)
	}
	_, err = d.bus.Publish(ctx, bus.SubjectInput(in.Run), data)
	return err
}

// beginDrill begins the run that somebody asked for by [Drills.Begin]. A drill
// is no incident: its run names none that is on record.
func (w *Worker) beginDrill(ctx context.Context, in event.Input) error {
	if w.now().After(in.Until) {
		w.logger.WarnContext(ctx, "a drill was asked for too long ago, and is not held", "run", in.Run)
		return nil
	}
	book, err := drillBook(in.Until.Sub(in.Time))
	if err != nil {
		return fmt.Errorf("begin drill: %w: %w", errNoBook, err) // it never will be one
	}
	f := event.Finding{
		ID: event.HashID("drill", in.Run), Rule: DrillName, Title: "a drill of containment", Severity: event.SeverityLow, Score: 1,
		Subject: in.Target, Source: event.SourceControl, Trust: event.TrustAudit, Time: in.Time, Received: in.Time,
	}
	target, err := Resolve(ctx, w.executor.Deps.Cluster, f)
	if err != nil && !errors.Is(err, ErrNoTarget) {
		return err
	}
	ceiling, err := w.control.Ceiling(ctx)
	if err != nil {
		return err
	}
	if ceiling == event.ModeAsk {
		ceiling = event.ModeAct // the config asked for it, and nobody is there to ask each time
	}
	run := Begin(book, event.Incident{ID: f.ID}, f, target, ceiling, w.now())
	run.ID, run.Drill = in.Run, true
	rec, err := w.log.Create(ctx, run)
	if errors.Is(err, bus.ErrExists) {
		if _, err = w.adopt(ctx, run.ID); errors.Is(err, runlog.ErrStale) {
			return nil
		}
		return err
	}
	if err == nil {
		w.begun(ctx, rec, nil)
	}
	return err
}

// drillBook is the playbook of a drill.
func drillBook(hold time.Duration) (*Playbook, error) {
	docs, err := conf.Documents("drill", fmt.Appendf(nil, `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: %s}
spec:
  title: A drill of containment
  when: finding.rule == "%s"
  mode: act
  steps:
    - {name: isolate, action: pod.quarantine, undo_after: %s, at_end: restore}
`, DrillName, DrillName, hold.Round(time.Second)))
	if err != nil {
		return nil, err
	}
	return ParsePlaybook(docs[0])
}
