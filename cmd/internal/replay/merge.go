package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/ingest/summary"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Input is one file of events.
type Input struct {
	// Source is the name of a source in the catalogue of package ingest.
	Source string
	// Name stands in what events say of where they are from.
	Name string
	Open func() (io.ReadCloser, error)
	// Size is how many bytes there are, 0 if that is not known.
	Size int64
	// Summarise, if set, counts the lines in summaries too, which come when they
	// would be stored. Lines whose time names no year are left out.
	Summarise *summary.Config
}

// item is one event or reject, as the spool holds it.
type item struct {
	time     time.Time
	file     int
	line     int
	at       int64
	size     int
	rejected bool
}

// merged is all input, put in order by time, then file, then line.
type merged struct {
	spool  *spool
	items  []item
	counts ingest.Counts
	// begins are the items with which the frames begin.
	begins []int
}

// merge reads all inputs. Files are ordered by name, so that the order of the
// arguments does not matter.
func merge(ctx context.Context, o Options) (*merged, error) {
	m := &merged{spool: &spool{limit: memory}}
	inputs := slices.Clone(o.Inputs)
	slices.SortStableFunc(inputs, func(a, b Input) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Source, b.Source))
	})
	read := &reading{o: &o}
	for _, in := range inputs {
		read.total += in.Size
	}
	for i, in := range inputs {
		if err := m.scan(ctx, i, in, o.Cluster, read); err != nil {
			m.spool.close()
			return nil, err
		}
	}
	slices.SortStableFunc(m.items, func(a, b item) int {
		return cmp.Or(a.time.Compare(b.time), cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
	})
	return m, nil
}

func (m *merged) scan(ctx context.Context, file int, in Input, cluster string, read *reading) error {
	r, err := in.Open()
	if err != nil {
		return fmt.Errorf("open %s: %w", in.Name, err)
	}
	defer r.Close()
	// What has no time of its own, as rejects have none, takes that of what
	// stands before it.
	var last time.Time
	begin := len(m.items)
	sums := newSums(in)
	counts, err := ingest.Scan(in.Source, in.Name, read.of(r), ingest.Origin{Cluster: cluster}, func(it ingest.Item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if it.Event == nil {
			it.Rejected.Data = nil
			return m.add(item{file: file, line: it.Line, time: last, rejected: true}, it.Rejected)
		}
		if timed(it.Event, &last); sums.counts(it.Event) {
			summary.Mark(it.Event)
		}
		if err := m.add(item{file: file, line: it.Line, time: last}, it.Event); err != nil {
			return err
		}
		read.items = len(m.items)
		return sums.add(it.Event, it.Line, func(e *event.Event) error {
			return m.add(item{file: file, line: it.Line, time: e.Received}, e)
		})
	})
	if err == nil {
		err = sums.end(func(e *event.Event, line int) error { return m.add(item{file: file, line: line, time: e.Received}, e) })
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", in.Name, err)
	}
	m.counts.Add(counts)
	date(m.items[begin:])
	return nil
}

// add puts something into the spool.
func (m *merged) add(it item, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	it.size = len(data)
	if it.at, err = m.spool.add(data); err != nil {
		return err
	}
	m.items = append(m.items, it)
	return nil
}

// someYear is that of a file whose lines all leave the year out. It has a 29
// February.
const someYear = 2000

// date gives the items of a file that have no year that of the newest line
// which has one.
func date(items []item) {
	year := 0
	for _, it := range items {
		if !it.time.IsZero() {
			year = max(year, it.time.Year())
		}
	}
	if year == 0 {
		year = someYear
	}
	for i := range items {
		if t := &items[i].time; t.Year() == 0 {
			*t = t.AddDate(year, 0, 0)
		}
	}
}

// timed puts an event on the virtual clock: it is received when it happened.
func timed(e *event.Event, last *time.Time) {
	if e.Time.IsZero() {
		e.Time = *last
	}
	e.Received = e.Time
	*last = e.Time
}

// frame is a piece of the stream: rejects, and events as they come out of a
// frame of the EVENTS stream, in order.
type frame struct {
	items    []item
	events   []event.Event
	rejected []event.Rejected
}

// frames gives the stream in pieces. What it yields is decoded as it would be
// by a detector that runs live.
func (m *merged) frames(yield func(frame) error) error {
	for rest := m.items; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && n < event.MaxFrameEvents && (n == 0 || size+rest[n].size <= event.MaxFrameBytes) {
			size += rest[n].size
			n++
		}
		m.begins = append(m.begins, len(m.items)-len(rest))
		f, err := m.frame(rest[:n])
		if err != nil {
			return err
		}
		if err := yield(f); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// resolve says which events are at places of the stream of which detectors
// remember no more.
func (m *merged) resolve(all []event.Address) error {
	for i := range all {
		at := &all[i]
		if at.ID != "" || at.Sequence == 0 || at.Sequence > uint64(len(m.begins)) {
			continue
		}
		left := at.Index
		for _, it := range m.items[m.begins[at.Sequence-1]:] {
			if it.rejected {
				continue
			}
			if left--; left >= 0 {
				continue
			}
			data, err := m.spool.read(it.at, it.size)
			if err != nil {
				return err
			}
			var e struct{ ID, From string }
			if err := json.Unmarshal(data, &e); err != nil {
				return fmt.Errorf("read events back: %w", err)
			}
			at.ID, at.From = e.ID, e.From
			break
		}
	}
	return nil
}

func (m *merged) frame(items []item) (frame, error) {
	f := frame{items: items}
	var encoded [][]byte
	for _, it := range items {
		data, err := m.spool.read(it.at, it.size)
		if err != nil {
			return f, err
		}
		if !it.rejected {
			encoded = append(encoded, data)
			continue
		}
		var r event.Rejected
		if err := json.Unmarshal(data, &r); err != nil {
			return f, fmt.Errorf("read events back: %w", err)
		}
		f.rejected = append(f.rejected, r)
	}
	var err error
	if f.events, err = event.DecodeFrame(event.EncodeFrame(encoded)); err != nil {
		return f, err
	}
	n := 0
	for _, it := range items {
		if it.rejected {
			continue
		}
		if e := &f.events[n]; e.Time.Year() == 0 {
			e.Time, e.Received = it.time, it.time
		}
		n++
	}
	return f, nil
}
