package respond

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/telemetry"
)

// ArchiveRules say when runs that are over go to the archive, and when the run
// log no longer holds them.
type ArchiveRules struct {
	// After is how long after the end of a month the runs that ended in it are
	// archived.
	After conf.Duration `yaml:"after"`
	// Keep is how long the run log holds a record at least; what is not in the
	// archive, and what came after it, it holds however old it is. 0 is for ever.
	Keep conf.Duration `yaml:"keep"`
}

// DefaultArchiveRules are the shipped ones.
func DefaultArchiveRules() ArchiveRules {
	return ArchiveRules{After: conf.Duration(30 * day), Keep: conf.Duration(120 * day)}
}

const day = 24 * time.Hour

// Check says what makes no sense, by its key.
func (r ArchiveRules) Check() error {
	switch {
	case r.After.Std() < day || r.After.Std() > 3650*day:
		return fmt.Errorf("after: %s is not 24h to 87600h", r.After.Std())
	case r.Keep != 0 && r.Keep.Std() < r.After.Std()+62*day:
		// Findings and inputs are kept for a month, and read again when a
		// position is lost: until then the log must know their runs.
		return fmt.Errorf("keep: %s is less than two months (1488h) over after", r.Keep.Std())
	}
	return nil
}

// ArchivePart is one object of the archive: runs that ended in one month, in the
// order in which they did. Most months have one.
type ArchivePart struct {
	// Name is the month, a dot, and a number from 1.
	Name string `json:"name"`
	// Object is its name in the object store.
	Object string `json:"object"`
	// From and To are the places in ENDED of its first and last run.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	ArchiveEnd
	// Head is the SHA-256 of its last line, which the next part names as
	// Previous.
	Head    string    `json:"head"`
	Written time.Time `json:"written"`
}

const (
	archiveStore = "runs"
	archiveKey   = "archive"
	// archiveEvery is how often it is looked whether a month is to be archived.
	archiveEvery = time.Hour
	// maxPart is after how many bytes, before they are compressed, the rest of a
	// month goes to another part: all of a part is read to find one run in it.
	maxPart = 128 << 20
	// forgetWithin is how long the server is given to drop what is too old.
	forgetWithin = time.Minute
	// maxForgotten is of how many runs records are dropped in one look.
	maxForgotten = 20_000
)

// Archive lists the parts of the archive, oldest first.
func (l *RunLog) Archive(ctx context.Context) ([]ArchivePart, error) {
	parts, _, err := readArchive(ctx, l.bus)
	return parts, err
}

func readArchive(ctx context.Context, b *bus.Bus) (parts []ArchivePart, revision uint64, err error) {
	data, revision, err := b.Control().Get(ctx, archiveKey)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &parts)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read the list of the archive: %w", err)
	}
	return parts, revision, nil
}

// archiver moves runs that are over to the archive, and has the run log forget
// what is in it. Nothing is dropped of which the archive was not read back
// before. Wherever it is killed, what it had begun is done anew or not at all.
type archiver struct {
	log    *RunLog
	bus    *bus.Bus
	rules  ArchiveRules
	now    func() time.Time
	tel    *telemetry.Telemetry
	logger *slog.Logger
	// most is [maxPart], within [forgetWithin].
	most   int
	within time.Duration
	// at is called at each place at which a test may want to end it.
	at func(place string) error
}

func (w *Worker) archive(ctx context.Context) error {
	a := &archiver{log: w.log, bus: w.bus, rules: w.archiving, now: w.now, tel: w.tel, logger: w.logger, most: maxPart, within: forgetWithin}
	for {
		// Not at once: a start has better things to do.
		if sleep(ctx, time.Minute) != nil {
			return nil
		}
		if err := a.pass(ctx); err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "runs that are over were not archived; they stay in the run log", "error", err)
		}
		if sleep(ctx, archiveEvery-time.Minute) != nil {
			return nil
		}
	}
}

// list writes the list of parts, if it is still the one that was read.
func (a *archiver) list(ctx context.Context, parts []ArchivePart, revision uint64) error {
	data, err := json.Marshal(parts)
	if err != nil {
		return err
	}
	_, err = a.bus.Control().CompareAndSet(ctx, archiveKey, data, revision)
	return err
}

func (a *archiver) reach(place string) error {
	if a.at == nil {
		return nil
	}
	return a.at(place)
}

// pass archives what is due, and then has the log forget what may go.
func (a *archiver) pass(ctx context.Context) error {
	if err := a.bus.Unbounded(ctx, bus.Runs); err != nil {
		return err
	}
	if err := a.sweep(ctx); err != nil {
		// The archive is as good with it.
		a.logger.WarnContext(ctx, "objects that no archive lists are left", "error", err)
	}
	for {
		parts, revision, err := readArchive(ctx, a.bus)
		if err != nil {
			return err
		}
		part, err := a.part(ctx, parts)
		if err != nil {
			return err
		}
		if part == nil {
			return a.forget(ctx, parts)
		}
		// Until this is written the object counts for nothing.
		if err := a.list(ctx, append(parts, *part), revision); err != nil {
			return fmt.Errorf("list %s in the archive: %w", part.Name, err)
		}
		if part.Aside > 0 {
			a.tel.Metrics().SetAside(ctx, part.Aside)
			a.logger.WarnContext(ctx, "runs whose record does not prove were set aside in the archive", "archive", part.Name, "runs", part.Aside)
		}
		a.logger.InfoContext(ctx, "runs were archived", "archive", part.Name, "runs", part.Runs, "records", part.Records, "head", part.Head)
		if err := a.reach("listed"); err != nil {
			return err
		}
	}
}

// due are the runs of the next part: those of one month that is long enough over.
func (a *archiver) due(ctx context.Context, from uint64) (month string, runs func(yield func(endEntry, error) bool)) {
	next := func() (first endEntry, found bool, err error) {
		for e, err := range a.log.endings(ctx, from, time.Time{}) {
			return e, err == nil, err
		}
		return first, false, nil
	}
	first, found, err := next()
	if err != nil {
		return "", func(yield func(endEntry, error) bool) { yield(endEntry{}, err) }
	}
	if !found || !a.over(first.Updated) {
		return "", nil
	}
	month = monthOf(first.Updated)
	return month, func(yield func(endEntry, error) bool) {
		for e, err := range a.log.endings(ctx, from, time.Time{}) {
			if err == nil && monthOf(e.Updated) != month || !yield(e, err) {
				return
			}
		}
	}
}

func monthOf(t time.Time) string { return t.UTC().Format("2006-01") }

// over says whether the month of a time is long enough over.
func (a *archiver) over(t time.Time) bool {
	t = t.UTC()
	next := time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	return !a.now().Before(next.Add(a.rules.After.Std()))
}

// part writes the next part and reads it back; nil is that none is due.
func (a *archiver) part(ctx context.Context, parts []ArchivePart) (*ArchivePart, error) {
	p := ArchivePart{From: 1, Written: a.now()}
	if n := len(parts); n > 0 {
		p.From, p.Previous = parts[n-1].To+1, parts[n-1].Head
	}
	month, runs := a.due(ctx, p.From)
	if runs == nil {
		return nil, nil
	}
	n := 1
	for _, old := range parts {
		if len(old.Name) > len(month) && old.Name[:len(month)] == month {
			n++
		}
	}
	p.Name = fmt.Sprintf("%s.%d", month, n)
	// Of two who write the same part one is listed, and the other's object is of
	// no use; so is that of one who was killed.
	p.Object = p.Name + "." + rand.Text()
	store, err := a.bus.Objects(ctx, archiveStore, -1)
	if err != nil {
		return nil, err
	}
	body := a.writing(ctx, &p, runs)
	err = store.Put(ctx, p.Object, body)
	if closed := body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", p.Name, err)
	}
	if err := a.reach("stored"); err != nil {
		return nil, err
	}
	if err := a.readBack(ctx, store, p); err != nil {
		return nil, fmt.Errorf("archive %s: read it back: %w", p.Name, err)
	}
	return &p, a.reach("read back")
}
