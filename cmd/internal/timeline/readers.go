package timeline

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// Readers prints a table of those for whom events are kept.
func Readers(w io.Writer, list []bus.ReadBy) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer func() { _ = t.Flush() }()
	fmt.Fprintln(t, "READER\tREAD UP TO")
	for _, r := range list {
		fmt.Fprintf(t, "%s\t%d\n", clean(r.Reader, 200), r.Sequence)
	}
}
