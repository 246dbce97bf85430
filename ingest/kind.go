package ingest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Origin is what is known about input besides its bytes.
type Origin struct {
	// From says where it was read: "falco http 10.0.0.1:4312". A scanner sets
	// it to FILE:LINE.
	From string
	// Received is when it was taken in. Zero means replay: the event's own
	// time is used. In lines of a log without an envelope it may be local: then
	// it counts as UTC, and one that is written without its year has the year 0.
	Received time.Time
	Cluster  string
}

// Kind describes one source: what there is to say about it, and how its input
// is read.
type Kind struct {
	// Name is what the configuration and the flags of replay call it.
	Name string
	// Doc is one sentence for the documentation.
	Doc    string
	Source event.Source
	// Config returns a pointer to the source's typed configuration, with its
	// defaults filled in.
	Config func() any
	// Decode reads one JSON value: an object, an array of them, or a list
	// object with items. When it is not well-formed JSON, one reject stands
	// for all of it. It is nil for a source that is not JSON. It may be called
	// concurrently.
	Decode func(data []byte, o Origin) ([]event.Event, []event.Rejected)
	// Open makes the source ready to run, with its configuration.
	Open func(d Deps, config any) (Source, error)
	// Scan reads a file that may be anything; see [Scan]. It is nil for a
	// source whose files another one reads.
	Scan func(name string, r io.Reader, o Origin, yield func(Item) error) (Counts, error)
}

// Item is one thing that a scanner found: an event or a reject.
type Item struct {
	// Event is nil for a reject, Rejected for an event.
	Event    *event.Event
	Rejected *event.Rejected
	// Line is the line on which it begins, from 1.
	Line int
}

// Counts says what became of the lines of a file. Always
// Lines == Blank + Joined + Rejected + Begun.
type Counts struct {
	Lines int
	// Blank lines hold only white space.
	Blank int
	// Joined lines continue an event or a reject that began before them, or
	// hold only brackets of the list that events stand in.
	Joined int
	// Begun lines are those on which at least one event begins.
	Begun int
	// Rejected lines hold no event, and something that was rejected.
	Rejected int
	// Events and Rejects count the items that were given. A line of many
	// events gives many items.
	Events  int
	Rejects int
}

// Add adds the counts of another file.
func (c *Counts) Add(o Counts) {
	c.Lines += o.Lines
	c.Blank += o.Blank
	c.Joined += o.Joined
	c.Begun += o.Begun
	c.Rejected += o.Rejected
	c.Events += o.Events
	c.Rejects += o.Rejects
}

var kinds []Kind

func register(k Kind) { kinds = append(kinds, k) }

// Kinds is the catalogue of sources, by name.
func Kinds() []Kind {
	return slices.SortedFunc(slices.Values(kinds), func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
}

// Lookup finds a source by its name: falco, audit, log, ….
func Lookup(name string) (Kind, bool) {
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// Scan reads a whole file of the named source and gives what it finds, in the
// order in which it ends in the file. The same bytes always give the same
// items. It stops at an error of r or of yield, which it returns wrapped;
// content is never an error.
func Scan(kind, name string, r io.Reader, o Origin, yield func(Item) error) (Counts, error) {
	k, ok := Lookup(kind)
	if !ok || k.Scan == nil {
		return Counts{}, fmt.Errorf("scan %s: no source %q that reads files", name, kind)
	}
	return k.Scan(name, r, o, yield)
}

// reject makes a reject, with its data redacted and cut.
func reject(source event.Source, from, reason string, data []byte) event.Rejected {
	return event.Rejected{
		Source: source,
		From:   clip(redactText(from), maxFrom),
		Reason: clip(redactText(reason), maxReason),
		Data:   redactData(source, data, unfinished(reason)),
	}
}
