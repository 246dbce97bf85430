package timeline

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Silences prints a table of silences: who, why, until when, and how often each
// matched.
func Silences(w io.Writer, list []event.Silence) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer func() { _ = t.Flush() }()
	fmt.Fprintln(t, "SILENCE\tUNTIL\tMATCHED\tWHO\tWHEN\tWHY")
	for _, s := range list {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", clean(s.ID, 32), stamp(s.Until), s.Matched, clean(s.Who, 63), clean(s.When, 200), clean(s.Why, 200))
	}
}
