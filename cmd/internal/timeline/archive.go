package timeline

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/firebreak-io/firebreak/respond/receipt"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// Archive prints one line a part of the archive of runs.
func Archive(w io.Writer, parts []runlog.Part) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PART\tRUNS\tRECORDS\tWRITTEN\tHEAD")
	for _, p := range parts {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\n", clean(p.Name, 40), p.Runs, p.Records, stamp(p.Written), clean(p.Head, 64))
	}
	_ = t.Flush()
}

// Archived prints what a part of the archive proves.
func Archived(w io.Writer, p receipt.ArchiveProof) {
	fmt.Fprintf(w, "proved    archive %s: %d runs, %d records\n", clean(p.Archive, 40), p.Runs, p.Records)
	if p.Aside > 0 {
		fmt.Fprintf(w, "ASIDE     %d runs more do not prove: each line says why\n", p.Aside)
	}
	fmt.Fprintf(w, "head      %s\n", clean(p.Head, 64))
	before := "none: it is the first"
	if p.Previous != "" {
		before = clean(p.Previous, 64)
	}
	fmt.Fprintf(w, "follows   %s\n", before)
}
