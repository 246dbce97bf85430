package approve

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// listed are the names of the incidents on the pages of a query, and how many pages
// it took.
func (r *rig) listed(query string) (names []string, pages int) {
	r.t.Helper()
	for after := ""; ; {
		req := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "/v1/incidents?"+query+after, nil)
		req.Header.Set("Authorization", "Bearer token-ann")
		w := httptest.NewRecorder()
		r.api.ServeHTTP(w, req)
		var list []event.Incident
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK {
			r.t.Fatalf("%s: status %d: %s (%v)", query, w.Code, w.Body, err)
		}
		for _, in := range list {
			names = append(names, in.Subjects[0].Name)
		}
		pages++
		next := w.Header().Get(NextHeader)
		if next == "" {
			slices.Sort(names)
			return names, pages
		}
		after = "&after=" + next
	}
}

// TestIncidentsByQuery: state, since, prefix and pages leave out what they say, and
// nothing else; what makes no sense is refused.
func TestIncidentsByQuery(t *testing.T) {
	r := newRig(t)
	old, lately := r.now.Add(-48*time.Hour), r.now.Add(-time.Hour)
	for name, in := range map[string]event.Incident{
		"a": {State: event.IncidentOpen, Created: old, Updated: lately},
		"b": {State: event.IncidentOpen, Created: old, Updated: old},
		"c": {State: event.IncidentContained, Created: old, Updated: old},
		"d": {State: event.IncidentResolved, Created: old, Updated: old, Closed: old},
		"e": {State: event.IncidentResolved, Created: old, Updated: old, Closed: lately},
		"f": {State: event.IncidentFalsePositive, Created: old, Updated: old, Closed: lately},
	} {
		in.ID, in.Subjects = event.HashID("incident", name), []event.Ref{event.PodRef("shop", name)}
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.bus.Append(t.Context(), bus.SubjectIncident(in.ID), data, 0); err != nil {
			t.Fatal(err)
		}
	}
	since := "since=" + r.now.Add(-2*time.Hour).Format(time.RFC3339)
	for query, want := range map[string]string{
		"":                           "abcdef",
		"state=open":                 "ab",
		"state=open&state=contained": "abc",
		"state=resolved":             "de",
		"state=resolved&" + since:    "e",
		since:                        "abcef",
		"since=2999-01-01T00:00:00Z": "abc",
		"prefix=" + event.HashID("incident", "d")[:8]: "d",
		"prefix=zz": "",
	} {
		if got, pages := r.listed(query); strings.Join(got, "") != want || pages != 1 {
			t.Errorf("%q gives %q on %d pages, want %q", query, got, pages, want)
		}
		if want == "" {
			continue
		}
		got, pages := r.listed(strings.TrimPrefix(query+"&limit=1", "&"))
		if strings.Join(got, "") != want || pages < len(want) {
			t.Errorf("%q one by one gives %q on %d pages, want %q", query, got, pages, want)
		}
	}
	for _, query := range []string{"state=closed", "since=today", "limit=x", "limit=-1", "after=nowhere"} {
		if status, body := r.call(http.MethodGet, "/v1/incidents?"+query, "token-ann", ""); status != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", query, status, body)
		}
	}
	if status, _ := r.call(http.MethodGet, "/v1/incidents", "token-nobody", ""); status != http.StatusUnauthorized {
		t.Errorf("nobody gets status %d", status)
	}
}
