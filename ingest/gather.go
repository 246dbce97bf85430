package ingest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	// maxRejects is how many rejects one body gives; one more stands for the
	// rest.
	maxRejects = 100
	// maxBodyEvents is how many events one body gives. A body of more is
	// refused: what is short in a body is an event of many times its size.
	maxBodyEvents = 50_000
	// givenEvents and givenBytes are how many events are given on at a time,
	// by their number and the bytes of their text.
	givenEvents = 1024
	givenBytes  = 2 << 20
)

// give takes some of the events of a body. It owns them.
type give func(events []event.Event) error

// gathered is what one body holds, and was not given on yet.
type gathered struct {
	source  event.Source
	origin  Origin
	give    give
	events  []event.Event
	bytes   int // of their text
	given   int
	rejects []event.Rejected
	more    int
	stopped error // of give
}

var errManyEvents = fmt.Errorf("body has more than %d events: send fewer at a time", maxBodyEvents)

func (c *gathered) take(f found) error {
	switch {
	case f.err == nil && c.given+len(c.events) == maxBodyEvents:
		return errManyEvents
	case f.err == nil:
		c.events = append(c.events, f.event)
		if c.bytes += len(f.raw); len(c.events) >= givenEvents || c.bytes >= givenBytes {
			return c.flush()
		}
	default:
		c.reject(f.err.Error(), f.raw)
	}
	return nil
}

// flush gives on what there is.
func (c *gathered) flush() error {
	if len(c.events) == 0 {
		return nil
	}
	events := c.events
	c.events, c.bytes, c.given = nil, 0, c.given+len(events)
	c.stopped = c.give(events)
	return c.stopped
}

func (c *gathered) reject(reason string, raw []byte) {
	if len(c.rejects) == maxRejects {
		c.more++
		return
	}
	c.rejects = append(c.rejects, reject(c.source, c.origin.From, reason, raw))
}

// errWhole says that a body was refused, whatever was given of it before: it is
// to be sent again in another form, or not at all.
type errWhole string

func (e errWhole) Error() string { return string(e) }

// decode is [Kind.Decode] of a JSON source.
func (f input) decode(data []byte, o Origin) ([]event.Event, []event.Rejected) {
	return collect(func(g give) ([]event.Rejected, error) { return f.decodeTo(data, o, g) })
}

// collect gathers all events that something gives. Of a body that is refused
// there are none.
func collect(decode func(give) ([]event.Rejected, error)) ([]event.Event, []event.Rejected) {
	var all []event.Event
	rejects, err := decode(func(events []event.Event) error {
		if all = append(all, events...); len(all) == len(events) {
			all = events
		}
		return nil
	})
	if err != nil {
		return nil, rejects
	}
	return all, rejects
}

// decodeTo reads one value, or several after one another. Text that is not
// well-formed is given up whole, and the sender is told, unless it is made of
// lines: then the bad line is the only one lost. The error is that of g, or an
// errWhole; the rejects are to be kept in any case.
func (f input) decodeTo(data []byte, o Origin, g give) ([]event.Rejected, error) {
	c := &gathered{source: f.source, origin: o, give: g}
	room := f.room
	err := f.few(data)
	if err == nil {
		err = f.pieces(data, func(p piece) error {
			p.room = &room
			return f.open(p, o, c.take)
		})
	}
	if c.stopped == nil && err != nil && c.given+len(c.events)+len(c.rejects) == 0 && f.lined(data, o) {
		err = f.decodeLines(c, data)
	}
	if err == nil {
		err = c.flush()
	}
	if c.more > 0 {
		c.rejects = append(c.rejects, reject(f.source, o.From, fmt.Sprintf("and %d more of the same body", c.more), nil))
	}
	switch {
	case c.stopped != nil:
		return c.rejects, c.stopped
	case err != nil:
		return []event.Rejected{reject(f.source, o.From, err.Error(), data)}, errWhole(err.Error())
	}
	return c.rejects, nil
}

// few says whether a text holds more pieces than a body may have events,
// before any is given on. What else is wrong with it is found later.
func (f input) few(data []byte) error {
	if bytes.Count(data, []byte("{")) <= maxBodyEvents {
		return nil
	}
	count := 0
	if err := f.pieces(data, func(piece) error {
		if count++; count > maxBodyEvents {
			return errManyEvents
		}
		return nil
	}); errors.Is(err, errManyEvents) {
		return err
	}
	return nil
}

// lined says that a text is JSON lines, or begins with a line that the source
// knows. A single value that breaks off is none.
func (f input) lined(data []byte, o Origin) bool {
	data = bytes.TrimLeft(data, " \t\r\n")
	if bytes.HasPrefix(data, []byte("{")) {
		return bytes.Contains(data, []byte("\n{"))
	}
	if f.text == nil || len(data) == 0 || data[0] == '[' {
		return false
	}
	line, _, _ := bytes.Cut(data[:min(len(data), maxLine)], []byte("\n"))
	skip, known := f.text(line, o)
	return skip > 0 || known != nil
}

func (f input) decodeLines(c *gathered, data []byte) error {
	_, err := f.scan("", bytes.NewReader(data), c.origin, func(it Item) error {
		if it.Rejected != nil {
			it.Rejected.From = c.origin.From
			if len(c.rejects) == maxRejects {
				c.more++
				return nil
			}
			c.rejects = append(c.rejects, *it.Rejected)
			return nil
		}
		it.Event.From = c.origin.From
		return c.take(found{event: *it.Event})
	})
	return err
}
