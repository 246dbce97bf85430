package respond

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/receipt"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// input is how a responder moves a run, as [runner.move] does.
func (l *lab) input(in Input) {
	if in.Person != nil {
		l.seq++
		in.Sequence = l.seq
	}
	for {
		before := l.run
		next := Next(l.book, before, in, l.now)
		if reflect.DeepEqual(next, before) {
			return
		}
		rec, err := l.log.Append(l.Context(), l.rec, next)
		if err == nil {
			l.rec, l.run = rec, rec.Run
			l.moved(before, in)
			return
		}
		if !errors.Is(err, bus.ErrConflict) {
			l.Fatalf("the present responder can't write: %v", err)
		}
		if l.rec, err = l.log.Load(l.Context(), before.ID); err != nil {
			l.Fatal(err)
		}
		if l.run = l.rec.Run; in.Person == nil {
			return // the state asks for it again
		}
	}
}

// crash ends a responder with all that it has under way, at once, and another
// goes on. What the first had not sent is never sent, or is sent when it wakes up,
// long after; then it reports it, too.
func (l *lab) crash() {
	old := paused{log: l.log, rec: l.rec}
	for _, i := range l.under() {
		end := l.flight[i]
		delete(l.flight, i)
		switch rapid.IntRange(0, 2).Draw(l.T, "what is under way") {
		case 0:
			in := end()
			old.reports = append(old.reports, func() Input { return in })
		case 1:
			old.reports = append(old.reports, end)
		}
	}
	old.reports = append(old.reports, func() Input { return Input{Tick: true} })
	l.stale = append(l.stale, old)
	l.log = runlog.Over(l.store, l.log.Epoch()+1)
	rec, err := l.log.Load(l.Context(), l.run.ID)
	if err != nil {
		l.Fatal(err)
	}
	l.rec, l.run = rec, rec.Run
	if rapid.IntRange(0, 3).Draw(l.T, "undone by who comes next") == 0 {
		l.input(Input{Person: &event.Input{Kind: event.InputUndo, User: "ann"}})
	}
}

// wake lets a responder that was paused go on with what it was about to send and
// to record.
func (l *lab) wake() {
	if len(l.stale) == 0 {
		return
	}
	i := rapid.IntRange(0, len(l.stale)-1).Draw(l.T, "waking")
	old := l.stale[i]
	l.stale = slices.Delete(l.stale, i, i+1)
	for _, report := range old.reports {
		l.record(&old, report())
	}
	// Whatever it is told next, it does not get a word in either.
	l.record(&old, Input{Person: &event.Input{Kind: event.InputUndo, User: "late"}, Sequence: 1 << 40})
}

// paused is a responder that another has taken over from: its log, the record that
// it goes by, and what it has to report.
type paused struct {
	log     *runlog.Log
	rec     runlog.Record
	reports []func() Input
}

// record lets a paused responder write what it makes of an input, by what it
// knows, and again by what it finds when that is refused. It may as long as nobody
// after it has written.
func (l *lab) record(old *paused, in Input) {
	for range 2 {
		newest, err := l.log.Load(l.Context(), l.run.ID)
		if err != nil {
			l.Fatal(err)
		}
		before := old.rec.Run
		next := Next(l.book, before, in, l.now)
		if reflect.DeepEqual(next, before) {
			return
		}
		rec, err := old.log.Append(l.Context(), old.rec, next)
		switch {
		case err == nil && (newest.Sequence != old.rec.Sequence || newest.Run.Epoch > old.log.Epoch()):
			l.Fatalf("a responder of epoch %d wrote after record %d over %d of epoch %d", old.log.Epoch(), old.rec.Sequence, newest.Sequence, newest.Run.Epoch)
		case err == nil:
			old.rec = rec
			return
		case errors.Is(err, runlog.ErrStale):
			return
		case !errors.Is(err, bus.ErrConflict):
			l.Fatal(err)
		}
		old.rec = newest
	}
}

// drawer stores records as the bus does: each is conditional on the last of its
// subject, and never may one of an older epoch follow one of a newer.
type drawer struct {
	*rapid.T
	all []bus.Message
}

func (s *drawer) Append(_ context.Context, subject string, data []byte, last uint64) (uint64, error) {
	if last != uint64(len(s.all)) {
		return 0, bus.ErrConflict
	}
	s.all = append(s.all, bus.Message{Subject: subject, Data: data, Sequence: last + 1})
	return last + 1, nil
}

func (s *drawer) Last(context.Context, string) (bus.Message, error) {
	if len(s.all) == 0 {
		return bus.Message{}, bus.ErrNotFound
	}
	return s.all[len(s.all)-1], nil
}

// linear says that each record follows the one before, by its hash, and that none
// of an older epoch comes after one of a newer.
func (l *lab) linear() {
	var before event.Run
	hash := ""
	for _, m := range l.store.all {
		var run event.Run
		if err := json.Unmarshal(m.Data, &run); err != nil {
			l.Fatal(err)
		}
		if run.Previous != hash || run.Epoch < before.Epoch || run.Record != before.Record+1 {
			l.Fatalf("record %d of epoch %d follows %d of epoch %d", run.Record, run.Epoch, before.Record, before.Epoch)
		}
		before, hash = run, receipt.Hash(m.Data)
	}
}
