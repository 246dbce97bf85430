package timeline

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/journal"
)

// never comes.
var never = time.Unix(1<<40, 0)

// History prints a run's records as a timeline, one line for each thing that
// moved, and then the run as it stands, with how its messages to people fared.
func History(w io.Writer, records []event.Run, told []event.Delivery) {
	if len(records) == 0 {
		return
	}
	before, told := event.Run{}, slices.Clone(told)
	until := func(at time.Time) {
		for len(told) > 0 && told[0].Updated.Before(at) {
			fmt.Fprintf(w, "%s      %s\n", stamp(told[0].Updated), journal.Delivery(told[0]))
			told = told[1:]
		}
	}
	slices.SortStableFunc(told, func(a, b event.Delivery) int { return a.Updated.Compare(b.Updated) })
	list := told
	for _, r := range records {
		until(r.Updated)
		for _, line := range journal.Moves(before, r) {
			fmt.Fprintf(w, "%s  #%d  %s\n", stamp(r.Updated), r.Record, line)
		}
		before = r
	}
	until(never)
	fmt.Fprintln(w)
	Run(w, before)
	for _, d := range list {
		fmt.Fprintf(w, "message   %s\n", journal.Delivery(d))
	}
}
