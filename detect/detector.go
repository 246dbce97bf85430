package detect

import (
	"fmt"
	"maps"
	"slices"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Detector makes findings of events. It has no clock and does no I/O: the same
// events in the same order give the same findings.
type Detector interface {
	// Name is the name of its document.
	Name() string
	// Version is the digest of its document's text.
	Version() string
	// Source is the only source whose events it is given.
	Source() event.Source
	// Fold takes one event, which it may neither change nor keep. The error
	// says what it could not evaluate; there may be findings beside it.
	Fold(e *event.Event, at event.Address) ([]event.Finding, error)
}

// Kind is a kind of document that detectors are made of, or, where New is nil,
// that says something to those.
type Kind struct {
	Name, Doc string
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
