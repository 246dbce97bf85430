package approve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// stored are the events of the stream.
func (r *rig) stored() []event.Event {
	r.t.Helper()
	var all []event.Event
	for m, err := range r.bus.Range(r.t.Context(), bus.Events, bus.From{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		events, err := event.DecodeFrame(m.Data)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, events...)
	}
	return all
}

func TestSilences(t *testing.T) {
	r := newRig(t)
	ask := func(why, when string, d time.Duration) string {
		return fmt.Sprintf(`{"when":%q,"why":%q,"until":%q}`, when, why, r.now.Add(d).Format(time.RFC3339))
	}
	fine := ask("drill", `rule == "pod-exec"`, time.Hour)
	if status, body := r.call("POST", "/v1/silences", "token-bob", fine); status != 403 || !strings.Contains(body, "create silences.firebreak.io") {
		t.Errorf("without the right it answered %d %s", status, body)
	}
	for _, right := range []string{"ann create silences/", "ann list silences/", "pat delete silences/"} {
		r.cluster.may[right] = true
	}
	for name, c := range map[string]struct {
		body   string
		status int
		text   string
	}{
		"no why":          {ask(" ", "true", time.Hour), 400, "why has to be said"},
		"a long why":      {ask(strings.Repeat("x", 2000), "true", time.Hour), 400, "over 1024 bytes"},
		"in the past":     {ask("x", "true", -time.Second), 400, "within the next"},
		"for years":       {ask("x", "true", 1000*24*time.Hour), 400, "within the next"},
		"no expression":   {ask("x", "", time.Hour), 400, "empty expression"},
		"another name":    {ask("x", "rul == 1", time.Hour), 400, `did you mean \"rule\"?`},
		"somebody else":   {`{"who":"root"}`, 400, "unknown field"},
		"one that is new": {fine, 202, `"who":"ann"`},
	} {
		if status, body := r.call("POST", "/v1/silences", "token-ann", c.body); status != c.status || !strings.Contains(body, c.text) {
			t.Errorf("%s: answered %d %s", name, status, body)
		}
	}
	all := r.stored()
	if len(all) != 1 || all[0].Verb != event.VerbSilence || all[0].Fields["who"] != "ann" || all[0].Fields["why"] != "drill" {
		t.Fatalf("stored %+v", all)
	}
	// The detectors tell what holds.
	id, _ := all[0].Fields["id"].(string)
	told, err := json.Marshal(Silences{Sequence: 1, Silences: []event.Silence{
		{ID: id, When: `rule == "pod-exec"`, Who: "ann", Why: "drill", Until: r.now.Add(time.Hour), Matched: 7}, {ID: "over", Until: r.now},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.bus.Snapshots().Put(t.Context(), bus.SnapshotSilences, told); err != nil {
		t.Fatal(err)
	}
	var list Silences
	if _, body := r.call("GET", "/v1/silences", "token-ann", ""); json.Unmarshal([]byte(body), &list) != nil || len(list.Silences) != 1 || list.Silences[0].Matched != 7 {
		t.Errorf("listed %s", body)
	}
	for path, want := range map[string]int{"/v1/silences/" + id + "/end": 403, "/v1/silences/over/end": 403} {
		if status, _ := r.call("POST", path, "token-ann", ""); status != want {
			t.Errorf("%s without the right answered %d", path, status)
		}
	}
	if status, body := r.call("POST", "/v1/silences/over/end", "token-pat", ""); status != 404 {
		t.Errorf("what is over was ended: %d %s", status, body)
	}
	if status, body := r.call("POST", "/v1/silences/"+id+"/end", "token-pat", `{"reason":"done"}`); status != 202 {
		t.Errorf("to end it answered %d %s", status, body)
	}
	all = r.stored()
	if e := all[len(all)-1]; len(all) != 2 || e.Fields["id"] != id || e.Fields["who"] != "pat" || e.Fields["why"] != "ended: done" || e.Fields["until"] != r.now.Format(time.RFC3339Nano) {
		t.Errorf("stored %+v", all)
	}
}

// TestSilencesAreListedAtOnce: who makes or ends one sees it before the detectors
// have read it.
func TestSilencesAreListedAtOnce(t *testing.T) {
	r := newRig(t)
	for _, right := range []string{"ann create silences/", "ann list silences/", "ann delete silences/"} {
		r.cluster.may[right] = true
	}
	listed := func() (list Silences) {
		t.Helper()
		if status, body := r.call("GET", "/v1/silences", "token-ann", ""); status != 200 || json.Unmarshal([]byte(body), &list) != nil {
			t.Fatalf("answered %d %s", status, body)
		}
		return list
	}
	create := func(when string) (s Silenced) {
		t.Helper()
		text := fmt.Sprintf(`{"when":%q,"why":"drill","until":%q}`, when, r.now.Add(time.Hour).Format(time.RFC3339))
		if status, body := r.call("POST", "/v1/silences", "token-ann", text); status != 202 || json.Unmarshal([]byte(body), &s) != nil {
			t.Fatalf("answered %d %s", status, body)
		}
		return s
	}
	first, second := create(`rule == "a"`), create(`rule == "b"`)
	if got := listed().Silences; len(got) != 2 || got[0].ID != first.ID || got[1].ID != second.ID {
		t.Fatalf("listed %+v", got)
	}
	// The detectors have read the first, and it matched.
	first.Matched = 3
	told, err := json.Marshal(Silences{Sequence: first.Sequence, Silences: []event.Silence{first.Silence}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.bus.Snapshots().Put(t.Context(), bus.SnapshotSilences, told); err != nil {
		t.Fatal(err)
	}
	if got := listed().Silences; len(got) != 2 || got[0].Matched != 3 || got[1].ID != second.ID {
		t.Fatalf("listed %+v", got)
	}
	for _, s := range []Silenced{first, second} {
		if status, body := r.call("POST", "/v1/silences/"+s.ID+"/end", "token-ann", ""); status != 202 {
			t.Errorf("answered %d %s", status, body)
		}
	}
	if got := listed().Silences; len(got) != 0 {
		t.Errorf("listed %+v", got)
	}
}

func TestEventsAndFindings(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/v1/events", "/v1/findings/" + event.HashID("f")} {
		if status, _ := r.call("GET", path, "token-ann", ""); status != 403 {
			t.Errorf("%s without the right answered %d", path, status)
		}
	}
	r.cluster.may["ann list events/"], r.cluster.may["ann get findings/"] = true, true
	if status, body := r.call("GET", "/v1/events", "token-ann", ""); status != 200 || !strings.Contains(body, `"end":true`) {
		t.Errorf("an empty stream is %d %s", status, body)
	}
	for i := range 5 {
		e, err := json.Marshal(event.Event{ID: fmt.Sprint(i), Source: event.SourceFalco, Fields: event.Fields{"n": int64(i)}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.bus.Publish(t.Context(), bus.SubjectEvents, event.EncodeFrame([][]byte{e})); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]string{
		"": "0 1 2 3 4", "?from=3": "2 3 4", "?from=2&limit=2": "1 2", "?from=99": "", "?until=2001-01-01T00:00:00Z": "",
		"?since=2001-01-01T00:00:00Z": "0 1 2 3 4", "?since=2999-01-01T00:00:00Z": "",
	} {
		status, body := r.call("GET", "/v1/events"+query, "token-ann", "")
		var got []string
		lines := strings.Split(strings.TrimSpace(body), "\n")
		for _, line := range lines[:len(lines)-1] {
			var f Frame
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatal(err)
			}
			got = append(got, f.Events[0].ID)
		}
		var p Page
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &p); err != nil || !p.End || p.Last != 5 || status != http.StatusOK || strings.Join(got, " ") != want {
			t.Errorf("%q gave %d %q, %+v, %v; want %q", query, status, got, p, err, want)
		}
	}
	for _, query := range []string{"?from=0", "?from=x", "?limit=-1", "?since=today", "?until=x"} {
		if status, _ := r.call("GET", "/v1/events"+query, "token-ann", ""); status != http.StatusBadRequest {
			t.Errorf("%s answered %d", query, status)
		}
	}
	f := event.Finding{ID: event.HashID("f"), Rule: "shell"}
	data, err := json.Marshal(f)
	if err == nil {
		_, err = r.bus.Create(t.Context(), bus.SubjectFinding(f.ID), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	if status, body := r.call("GET", "/v1/findings/"+f.ID, "token-ann", ""); status != 200 || !strings.Contains(body, `"rule":"shell"`) || !strings.Contains(body, `"count":1`) {
		t.Errorf("the finding is %d %s", status, body)
	}
	for _, id := range []string{event.HashID("g"), "*", "x"} {
		if status, _ := r.call("GET", "/v1/findings/"+id, "token-ann", ""); status != 404 {
			t.Errorf("finding %s answered %d", id, status)
		}
	}
}
