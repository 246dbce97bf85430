package timeline

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// Dead prints a table of what could not be processed. The bytes themselves are
// left out: they are somebody else's, and long.
func Dead(w io.Writer, list []bus.DeadLetter) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer func() { _ = t.Flush() }()
	fmt.Fprintln(t, "NUMBER\tTIME\tSOURCE\tBYTES\tFROM\tREASON")
	for _, d := range list {
		fmt.Fprintf(t, "%d\t%s\t%s\t%d\t%s\t%s\n",
			d.Sequence, stamp(d.Time), word(d.Source), d.Size, clean(d.From, 200), clean(d.Reason, 300))
	}
}
