package ingest

import (
	"bytes"
	"fmt"

	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	// maxRejects is how many rejects one body gives; one more stands for the
	// rest.
	maxRejects = 100
	// maxBodyEvents is how many events one body gives. A body of more is
	// refused whole: in memory an event is many times as large as the
	// shortest text of one.
	maxBodyEvents = 50_000
)

// gathered is what one body holds.
type gathered struct {
	source  event.Source
	origin  Origin
	events  []event.Event
	rejects []event.Rejected
	more    int
}

var errManyEvents = fmt.Errorf("body has more than %d events: send fewer at a time", maxBodyEvents)

func (c *gathered) take(f found) error {
	switch {
	case f.err == nil && len(c.events) == maxBodyEvents:
		return errManyEvents
	case f.err == nil:
		c.events = append(c.events, f.event)
	default:
		c.reject(f.err.Error(), f.raw)
	}
	return nil
}

func (c *gathered) reject(reason string, raw []byte) {
	if len(c.rejects) == maxRejects {
		c.more++
		return
	}
	c.rejects = append(c.rejects, reject(c.source, c.origin.From, reason, raw))
}

// decode is [Kind.Decode] of a JSON source: one value, or several after one
// another. Text that is not well-formed is given up whole, and the sender is
// told, unless it is made of lines: then the bad line is the only one lost.
func (f input) decode(data []byte, o Origin) ([]event.Event, []event.Rejected) {
	c := &gathered{source: f.source, origin: o}
	room := f.room
	err := f.pieces(data, func(p piece) error {
		p.room = &room
		return f.open(p, o, c.take)
	})
	if err != nil && len(c.events)+len(c.rejects) == 0 && f.lined(data, o) {
		err = f.decodeLines(c, data)
	}
	if err != nil {
		return nil, []event.Rejected{reject(f.source, o.From, err.Error(), data)}
	}
	if c.more > 0 {
		c.rejects = append(c.rejects, reject(f.source, o.From, fmt.Sprintf("and %d more of the same body", c.more), nil))
	}
	return c.events, c.rejects
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
