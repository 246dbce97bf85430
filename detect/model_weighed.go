package detect

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/sketch"
)

// weighed is an event that stands for so many like it, of one kind of line.
type weighed struct {
	event *event.Event
	times float64
	kind  int
}

// expand makes of a summary of log lines the events that it is of: one for each
// kind of line that it counts apart. They have what all lines of the kind have in
// common, and of what they haven't, anything. It is nil for a summary that was
// made by hand, as in tests of rules: there is nothing to read.
func (m *modeller) expand(e *event.Event) (*sketch.Summary, []weighed, error) {
	if e.Fields["start"] == nil {
		return nil, nil, nil
	}
	s, err := sketch.Read(e)
	if err != nil {
		return nil, nil, err
	}
	var all []weighed
	for i, k := range m.share.kinds {
		if n := k.count(s); n > 0 {
			one := *e
			one.Class, one.Outcome, one.HTTP, one.Fields = k.class, k.outcomes[0], event.HTTP{Status: 100 * k.hundreds}, nil
			all = append(all, weighed{event: &one, times: float64(n), kind: i})
		}
	}
	return s, all, nil
}

// kindOf is the kind of a line that a summary counts too; -1 of any other event.
func (m *modeller) kindOf(e *event.Event) int {
	if e.Source != event.SourceLog || !slices.Contains(e.Tags, event.TagSummarised) {
		return -1
	}
	class := sketch.ClassOf(e.Class)
	return slices.IndexFunc(m.share.kinds, func(k lineKind) bool { return k.class == class && k.has(e) })
}
