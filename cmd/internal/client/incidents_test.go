package client

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// TestIncidentsOfAQuery: what is asked for stands in each request, pages follow one
// another to the last, and of more than are wanted the newest are given, each once.
func TestIncidentsOfAQuery(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	var asked []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		v := r.URL.Query()
		asked = append(asked, v.Get("after"))
		if got := strings.Join(v["state"], ","); v.Get("since") != since.Format(time.RFC3339Nano) || got != "open,contained" || v.Get("prefix") != "ab" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
		one := func(id string, minute int) string {
			return fmt.Sprintf(`{"id":%q,"updated":%q}`, id, since.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339Nano))
		}
		switch v.Get("after") {
		case "":
			w.Header().Set(approve.NextHeader, "open.2")
			fmt.Fprintf(w, "[%s,%s]", one("ab2", 2), one("ab1", 1))
		case "open.2":
			w.Header().Set(approve.NextHeader, "over.3")
			fmt.Fprint(w, "[]")
		default:
			fmt.Fprintf(w, "[%s,%s]", one("ab1", 5), one("ab0", 0))
		}
	})
	q := incident.Query{Since: since, States: []event.IncidentState{event.IncidentOpen, event.IncidentContained}, Prefix: "ab"}
	for most, want := range map[int]string{0: "ab0 ab2 ab1", 2: "ab2 ab1"} {
		asked = nil
		list, err := c.Incidents(t.Context(), q, most)
		var ids []string
		for _, in := range list {
			ids = append(ids, in.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != want || !slices.Equal(asked, []string{"", "open.2", "over.3"}) {
			t.Errorf("of %d it gives %q after %q (%v), want %q", most, got, asked, err, want)
		}
	}
}
