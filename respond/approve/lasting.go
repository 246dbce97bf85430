package approve

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// Lasting says for how long each step that people are asked for would hold, and
// what becomes of it then, in a line each. The text is the playbook's: escape it
// for where it is shown.
func Lasting(r event.Run) []string {
	book, err := respond.ParseRun(r)
	if err != nil || r.Approval == nil {
		return nil // it says so when it goes on; here only the time is missing
	}
	then := map[event.AtEnd]string{
		event.AtEndRestore: "it is given back", event.AtEndDelete: "it is deleted", event.AtEndAsk: "people are asked",
	}
	var lines []string
	for i, s := range r.Steps {
		step := book.StepOf(r, i)
		if s.Plan == nil || !slices.Contains(r.Approval.Steps, s.Name) || !step.Holds() {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s holds for %s; then %s", s.Name, Span(step.UndoAfter), then[step.AtEnd]))
	}
	return lines
}

// Span is a time for people, to the second: 1h, not 1h0m0s.
func Span(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
