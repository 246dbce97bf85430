package respond

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// findings works findings off side by side: each is done with when its
// incident and its runs are stored.
func (w *Worker) findings(ctx context.Context, at *cursor) error {
	reader, err := w.bus.Read(ctx, bus.Findings, at.position()+1)
	if err != nil {
		return err
	}
	defer reader.Close(context.WithoutCancel(ctx))
	w.reader.Store(reader)
	ahead, slots := semaphore.NewWeighted(maxAhead), newSlots(maxEffects)
	for {
		m, err := reader.Next(ctx)
		if err != nil {
			return err
		}
		size := min(int64(len(m.Data))+perFinding, maxAhead)
		if err := ahead.Acquire(ctx, size); err != nil {
			return err
		}
		at.begin(m.Sequence)
		taken := w.rush.begin()
		// Here, and not where it is worked on: it has its place in the line before the
		// next is read.
		place := slots.line(urgency(m))
		w.group.Go(func() error {
			defer taken()
			defer ahead.Release(size)
			if err := slots.await(ctx, place); err != nil {
				return err
			}
			later, err := w.take(ctx, m)
			slots.Release()
			if err != nil {
				return err
			}
			if len(later) > 0 {
				taken()
				if err := w.later(ctx, m, later); err != nil {
					return err
				}
			}
			at.done(m.Sequence)
			return nil
		})
	}
}

const (
	// maxAhead is how many bytes of findings are read ahead of those that are
	// worked on, so that the gravest of them are next; perFinding is what one
	// takes besides its text.
	maxAhead   = 16 << 20
	perFinding = 4 << 10
)

// urgency is when it is a finding's turn. One that can't be read is as urgent
// as can be: it is put away.
func urgency(m bus.Message) time.Time {
	var f struct {
		Severity event.Severity `json:"severity"`
	}
	if bus.IsFindingCount(m.Subject) || json.Unmarshal(m.Data, &f) != nil {
		return m.Time
	}
	return turnOf(f.Severity, m.Time)
}

// take tries until all is begun that is urgent, and gives the runs that are to be
// begun later.
func (w *Worker) take(ctx context.Context, m bus.Message) (later []event.Run, err error) {
	err = w.insist(ctx, m, func() (err error) {
		later, err = w.finding(m.Context(ctx), m)
		return err
	})
	return later, err
}

// later begins the runs that are not urgent, when nothing that is urgent is under
// way: the sync of each would keep an intent waiting.
func (w *Worker) later(ctx context.Context, m bus.Message, runs []event.Run) error {
	w.rush.yield(ctx, maxYield)
	for _, run := range runs {
		err := w.insist(ctx, m, func() error {
			err := w.open(m.Context(ctx), run, m.Time, onRecord)
			if errors.Is(err, bus.ErrTooLarge) {
				w.bury(ctx, m, err)
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// insist tries until something is done: the cluster or the store may be away for
// a while.
func (w *Worker) insist(ctx context.Context, m bus.Message, do func() error) error {
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 15*time.Second) {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.logger.ErrorContext(ctx, "take finding", "finding", m.Subject, "error", err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// finding stores the incident and a run for each playbook that applies, but for
// those that can wait, if others can't: it gives them. Doing it again changes
// nothing.
func (w *Worker) finding(ctx context.Context, m bus.Message) (later []event.Run, err error) {
	ctx, end := w.tel.Span(ctx, "respond.finding")
	defer func() { end(err) }()
	if bus.IsFindingCount(m.Subject) {
		return nil, nil // how often one came again is for people
	}
	f, err := decodeFinding(m)
	if err != nil {
		w.bury(ctx, m, err)
		return nil, nil
	}
	if f.Silence != "" {
		return nil, nil // it is on record, and nobody is to be disturbed
	}
	defer func() {
		if errors.Is(err, bus.ErrTooLarge) {
			// It never will fit, and must not keep others from their turn.
			w.bury(ctx, m, err)
			later, err = nil, nil
		}
	}()
	if w.mayAct(f) {
		subject := f.Subject // f is changed below, while this reads
		w.group.Go(func() error { w.executor.warm(ctx, subject); return nil })
	}
	target, err := Resolve(ctx, w.executor.Deps.Cluster, f)
	if err != nil && !errors.Is(err, ErrNoTarget) {
		return nil, err
	}
	shown, importance := f.Subject.Labels, event.ImportanceNormal
	if w.importance != nil {
		subject := target
		subject.Labels = shown
		importance = w.importance(subject)
	}
	f.Subject = target
	// Up to the first record of a run all that is done is of no effect, but for a place
	// in the budgets, which is free again without a record.
	expected, stored := w.incidents.Begin(ctx, f, importance)
	later, err = w.answer(ctx, m, f, expected, target, shown, func() error {
		switch incident, err := stored(); {
		case err != nil:
			return err
		case !reflect.DeepEqual(incident, expected):
			return errOtherwise
		}
		return nil
	})
	incident, unstored := stored()
	switch {
	case unstored != nil:
		return nil, unstored
	case errors.Is(err, errOtherwise):
		return w.answer(ctx, m, f, incident, target, shown, onRecord)
	}
	return later, err
}

// errOtherwise says that an incident was stored otherwise than was expected.
var errOtherwise = errors.New("the incident came out otherwise")

// onRecord is for a run whose incident is on record.
func onRecord() error { return nil }

// answer stores a run for each playbook that applies to a finding of an incident, but
// for those that can wait, if others can't: it gives them. stored waits until the
// incident is on record, which comes before each of its runs; its error ends all.
func (w *Worker) answer(
	ctx context.Context, m bus.Message, f event.Finding, incident event.Incident, target event.Ref, shown map[string]string, stored func() error,
) (later []event.Run, err error) {
	ceiling, err := w.control.Ceiling(ctx)
	if err != nil {
		return nil, err
	}
	var apply []*Playbook
	var names []string
	for _, book := range w.books {
		applies, err := book.Applies(EnvFor(f, incident, target))
		if err != nil {
			w.logger.Error("playbook condition", "playbook", book.Name, "finding", f.ID, "error", err)
			continue
		}
		if applies {
			apply, names = append(apply, book), append(names, book.Name)
		}
	}
	// What acts begins first, whatever else is to be done about it.
	slices.SortStableFunc(apply, func(a, b *Playbook) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(modeRank(b.Mode), modeRank(a.Mode)))
	})
	var first []event.Run
	for _, book := range apply {
		if book, err = w.trusted(ctx, book); err != nil {
			return nil, err
		}
		run := Begin(book, incident, f, target, ceiling, w.now())
		run.Target.Labels, run.Finding.Subject.Labels = few(target.Labels), few(shown)
		if urgent(book, run) {
			first = append(first, run)
		} else {
			later = append(later, run)
		}
	}
	if len(first) == 0 {
		first, later = later, nil
	}
	for _, run := range first {
		if err := w.open(ctx, run, m.Time, stored); err != nil {
			return nil, err
		}
	}
	if err := stored(); err != nil {
		return nil, err
	}
	w.incidents.Recommend(incident.ID, names)
	return later, nil
}

// maxLabels bounds the labels that a run keeps of its target. A pod that has
// more has none in the record: who labels pods must not say which ones.
const maxLabels = 64

func few(labels map[string]string) map[string]string {
	if len(labels) > maxLabels {
		return nil
	}
	return labels
}

func decodeFinding(m bus.Message) (event.Finding, error) {
	var f event.Finding
	if err := json.Unmarshal(m.Data, &f); err != nil {
		return f, fmt.Errorf("decode finding: %w", err)
	}
	if bus.SubjectFinding(f.ID) != m.Subject {
		return f, fmt.Errorf("decode finding: it is named %q", f.ID)
	}
	return f, nil
}

// Begin is the first record of a run of book. Its mode is the lowest of the
// playbook's, the ceiling, and what the finding's rule allows. A model alone
// never acts: it asks at the most.
func Begin(book *Playbook, incident event.Incident, f event.Finding, target event.Ref, ceiling event.Mode, now time.Time) event.Run {
	run := event.Run{
		ID: event.RunID(book.Name, incident.ID, target, 1), Generation: 1, Playbook: book.Name, Version: book.Version, Spec: book.Text,
		Incident: incident.Brief(), Finding: f, Target: target, Mode: Lower(book.Mode, ceiling), State: event.RunGuarding,
		Order: book.Order, Created: now, Updated: now,
	}
	if f.Mode != "" {
		run.Mode = Lower(run.Mode, f.Mode)
	}
	if f.Model != "" {
		run.Mode = Lower(run.Mode, event.ModeAsk)
	}
	for _, s := range book.Steps {
		run.Steps = append(run.Steps, event.Step{Name: s.Name, Action: s.Action, State: event.StepPending})
	}
	return run
}
