package timeline

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/firebreak-io/firebreak/respond/approve"
)

// Reviews prints a table of the reviews of broken glass, those that are open
// last, and the alarms about how people decide.
func Reviews(w io.Writer, all approve.Reviews) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "REVIEW\tSTATE\tRUN\tPLAYBOOK\tTARGET\tSTEPS\tBROKEN BY\tAT\tWHY\tFOUND")
	for _, open := range []bool{false, true} {
		for _, r := range all.Reviews {
			if r.Open() != open {
				continue
			}
			state := "closed"
			switch {
			case r.Open() && r.Late:
				state = "LATE since " + stamp(r.Due)
			case r.Open():
				state = "open until " + stamp(r.Due)
			}
			found := ""
			if !r.Open() {
				found = clean(r.ClosedBy, 120) + ": " + clean(r.Note, 200)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", short(r.ID), state, short(r.Run), clean(r.Playbook, 63), clean(r.Target.String(), 120),
				clean(strings.Join(r.Steps, ", "), 120), clean(r.By, 120), stamp(r.Opened), clean(r.Reason, 200), found)
		}
	}
	_ = t.Flush()
	if len(all.Alarms) == 0 {
		return
	}
	fmt.Fprintln(w, "\nwho seems to approve without looking, or is locked out and tried")
	for _, a := range all.Alarms {
		fmt.Fprintf(w, "  %s  %s: %s\n", stamp(a.Time), clean(a.User, 120), clean(a.Text, 200))
	}
}
