package page

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// Holds says for how long the steps that are asked for would hold, and what
// becomes of them then.
func (House) Holds(r event.Run) []string {
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
		lines = append(lines, fmt.Sprintf("%s holds for %s, then %s", s.Name, step.UndoAfter, then[step.AtEnd]))
	}
	return lines
}

func written(id string, records [][]byte) ([]byte, error) {
	var out bytes.Buffer
	err := respond.WriteReceipt(&out, id, records)
	return out.Bytes(), err
}
