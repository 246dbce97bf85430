package timeline

import (
	"fmt"
	"io"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/journal"
)

// History prints a run's records as a timeline, one line for each thing that
// moved, and then the run as it stands.
func History(w io.Writer, records []event.Run) {
	if len(records) == 0 {
		return
	}
	before := event.Run{}
	for _, r := range records {
		for _, line := range journal.Moves(before, r) {
			fmt.Fprintf(w, "%s  #%d  %s\n", stamp(r.Updated), r.Record, line)
		}
		before = r
	}
	fmt.Fprintln(w)
	Run(w, before)
}
