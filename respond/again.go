package respond

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

const (
	// againAfter is how long after a run that did nothing began (it was denied,
	// nobody answered, it only observed) a finding that is no worse may begin
	// the next: what is refused must not be refused a thousand times a minute.
	againAfter = 15 * time.Minute
	// maxGenerations bounds the runs of one playbook for one incident and
	// target.
	maxGenerations = 1000
)

// Again says whether a finding that was stored at that time begins another run
// after one that is over since it ended. A finding that was stored before that
// was that run's to answer, however late it is read, and however often. It is
// pure.
func Again(over event.Run, ended time.Time, f event.Finding, stored time.Time) bool {
	if !stored.After(ended) {
		return false
	}
	for _, s := range over.Steps {
		if s.Begun {
			return true // what it did is undone, or was once for all
		}
	}
	return f.Severity.Rank() > over.Finding.Severity.Rank() || stored.Sub(over.Created) >= againAfter
}

// open begins a run, or goes on with the one that answers the finding already.
// Doing it again changes nothing. The finding was stored at that time; ready waits
// until the run may be.
func (w *Worker) open(ctx context.Context, run event.Run, stored time.Time, ready func() error) error {
	for n := 1; n <= maxGenerations; n++ {
		run.Generation, run.ID = n, event.RunID(run.Playbook, run.Incident.ID, run.Target, n)
		err := w.create(ctx, run, ready)
		if !errors.Is(err, bus.ErrExists) {
			return err
		}
		// Begun before. If whoever did is not there any more, it goes on here.
		rec, err := w.log.Load(ctx, run.ID)
		if err != nil {
			return err
		}
		switch {
		case rec.Run.Epoch > w.log.Epoch():
			return nil // a newer responder has it
		case !rec.Run.State.Terminal():
			w.start(ctx, rec)
			return nil
		case !Again(rec.Run, rec.Message().Time, run.Finding, stored):
			w.logger.InfoContext(ctx, "the run for this target is over, and was this finding's",
				"run", run.ID, "playbook", run.Playbook, "finding", run.Finding.ID, "target", run.Target.String())
			return nil
		}
	}
	return fmt.Errorf("run of %s for incident %s: there were %d already", run.Playbook, run.Incident.ID, maxGenerations)
}

// begun counts and says that a run was begun, and begins to move it. judged is
// when the guards were asked about what it is about to do.
func (w *Worker) begun(ctx context.Context, rec runlog.Record, judged map[int]time.Time) {
	run := rec.Run
	w.count("", run.State)
	w.incidents.Note(run)
	w.tel.Metrics().RunMoved(ctx, run.State)
	w.logger.InfoContext(ctx, "run", "run", run.ID, "playbook", run.Playbook, "finding", run.Finding.ID, "rule", run.Finding.Rule,
		"target", run.Target.String(), "mode", run.Mode, "generation", run.Generation, "starter", run.Starter)
	for _, s := range run.Steps {
		if s.State != event.StepPending {
			w.logger.InfoContext(ctx, "step", "run", run.ID, "step", s.Name, "action", s.Action, "state", s.State, "error", s.Error)
		}
	}
	w.startJudged(ctx, rec, judged)
}
