package runlog

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// Part is one object of the archive: runs that ended in one month, in the
// order in which they did. Most months have one.
type Part struct {
	// Name is the month, a dot, and a number from 1.
	Name string `json:"name"`
	// Object is its name in the object store.
	Object string `json:"object"`
	// From and To are the places in ENDED of its first and last run.
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	receipt.ArchiveEnd
	// Head is the SHA-256 of its last line, which the next part names as
	// Previous.
	Head    string    `json:"head"`
	Written time.Time `json:"written"`
}

const (
	archiveStore = "runs"
	archiveKey   = "archive"
	// maxPart is after how many bytes, before they are compressed, the rest of a
	// month goes to another part: all of a part is read to find one run in it.
	maxPart = 128 << 20
	// forgetWithin is how long the server is given to drop what is too old.
	forgetWithin = time.Minute
	// maxForgotten is of how many runs records are dropped in one look.
	maxForgotten = 20_000
)

// Archive lists the parts of the archive, oldest first.
func (l *Log) Archive(ctx context.Context) ([]Part, error) {
	parts, _, err := readArchive(ctx, l.bus)
	return parts, err
}

func readArchive(ctx context.Context, b *bus.Bus) (parts []Part, revision uint64, err error) {
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

// Archiver moves runs that are over to the archive, and has the run log forget
// what is in it. Nothing is dropped of which the archive was not read back
// before. Wherever it is killed, what it had begun is done anew or not at all.
type Archiver struct {
	log    *Log
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

// NewArchiver archives the runs of a log.
func NewArchiver(log *Log, rules ArchiveRules, now func() time.Time, tel *telemetry.Telemetry, logger *slog.Logger) *Archiver {
	return &Archiver{log: log, bus: log.bus, rules: rules, now: now, tel: tel, logger: logger, most: maxPart, within: forgetWithin}
}

// list writes the list of parts, if it is still the one that was read.
func (a *Archiver) list(ctx context.Context, parts []Part, revision uint64) error {
	data, err := json.Marshal(parts)
	if err != nil {
		return err
	}
	_, err = a.bus.Control().CompareAndSet(ctx, archiveKey, data, revision)
	return err
}

func (a *Archiver) reach(place string) error {
	if a.at == nil {
		return nil
	}
	return a.at(place)
}

// Pass archives what is due, and then has the log forget what may go.
func (a *Archiver) Pass(ctx context.Context) error {
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
func (a *Archiver) due(ctx context.Context, from uint64) (month string, runs func(yield func(endEntry, error) bool)) {
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
func (a *Archiver) over(t time.Time) bool {
	t = t.UTC()
	next := time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	return !a.now().Before(next.Add(a.rules.After.Std()))
}

// part writes the next part and reads it back; nil is that none is due.
func (a *Archiver) part(ctx context.Context, parts []Part) (*Part, error) {
	p := Part{From: 1, Written: a.now()}
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
