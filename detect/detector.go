package detect

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Detector is what a document asks for. It remembers nothing itself, and may be
// used by as many at a time as like to.
type Detector interface {
	// Name is the name of its document.
	Name() string
	// Version is the digest of its document's text.
	Version() string
	// Memory is the digest of what decides what it remembers: state that was
	// saved under another one is of no use to it.
	Memory() string
	// Sources are those whose events it is given.
	Sources() []event.Source
	// Open makes one that runs, with nothing remembered.
	Open(l Limits) (Running, error)
}

// Running is a detector with what it remembers. It makes findings of events,
// has no clock and does no I/O: the same events in the same order give the same
// findings. It is used by one goroutine.
type Running interface {
	// Fold takes one event, which it may neither change nor keep. The error
	// says what it could not evaluate; there may be findings beside it.
	Fold(e *event.Event, at event.Address, m Moment) ([]event.Finding, error)
	// Advance says what time it is: something may be due.
	Advance(now time.Time) []event.Finding
	// Counts gives how often findings came again, of those for which that is
	// worth telling since it was last called.
	Counts() []event.FindingCount
	// Save writes what it remembers, Load reads it into one that remembers
	// nothing and has the same [Detector.Memory].
	Save(out *pack.Writer)
	Load(in *pack.Reader) error
	// Stats may be called beside nothing else.
	Stats() Memory
}

// Moment is when an event comes.
type Moment struct {
	// Now is the newest time at which an event was received.
	Now time.Time
	// Time is the event's own, but not later than its Received, and not earlier
	// than that by more than the lateness.
	Time time.Time
	// Order is the event's place among all that were folded.
	Order uint64
}

// Limits bound what a detector remembers.
type Limits struct {
	// Groups and Bytes are of one detector.
	Groups, Bytes int
	// Late is how late an event may come.
	Late time.Duration
}

// Memory counts what a detector remembers, and what had to go.
type Memory struct {
	// Groups and Bytes are of now; Bytes is an estimate.
	Groups, Bytes int
	// Evicted are groups that made room, Late events that came too late, since
	// the beginning.
	Evicted, Late uint64
}

func (m *Memory) add(o Memory) {
	m.Groups += o.Groups
	m.Bytes += o.Bytes
	m.Evicted += o.Evicted
	m.Late += o.Late
}

// Kind is a kind of document that detectors are made of, or, where New is nil,
// that says something to those.
type Kind struct {
	Name, Doc string
	// Spec is an empty spec, which JSON Schemas are made of.
	Spec any
	// New makes the detector. It is nil when the document switches it off. The
	// error joins [*conf.Error].
	New func(doc *conf.Document) (Detector, error)
}

var kinds = map[string]Kind{}

func register(k Kind) {
	if _, twice := kinds[k.Name]; twice {
		panic(fmt.Sprintf("detector kind %s is registered twice", k.Name))
	}
	kinds[k.Name] = k
}

// Kinds lists the kinds by name.
func Kinds() []Kind {
	return slices.SortedFunc(maps.Values(kinds), func(a, b Kind) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}
