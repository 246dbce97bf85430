package approve

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

func (r *rig) get(path, token string) *httptest.ResponseRecorder {
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, path, nil)
	req.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	r.api.ServeHTTP(w, req)
	return w
}

// What was refused can be looked at by who may, the newest of it, and by
// nobody else.
func TestDead(t *testing.T) {
	r := newRig(t)
	if w := r.get("/v1/dead", "token-ann"); w.Code != http.StatusForbidden {
		t.Fatalf("without the right: %d %s", w.Code, w.Body)
	}
	r.cluster.may["ann list deadletters/"] = true
	if w := r.get("/v1/dead", "token-ann"); w.Code != http.StatusOK || w.Body.String() != "[]\n" {
		t.Fatalf("empty: %d %s", w.Code, w.Body)
	}
	for i := range 5 {
		rejected := event.Rejected{Source: event.SourceFalco, From: "falco http", Reason: fmt.Sprint("reason ", i), Data: []byte("{")}
		if err := r.bus.Dead(t.Context(), rejected); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{"": 5, "?limit=2": 2, "?limit=5": 5, "?limit=1000": 5} {
		var list []bus.DeadLetter
		w := r.get("/v1/dead"+query, "token-ann")
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK || len(list) != want {
			t.Fatalf("%q gave %d letters, want %d: %d %s %v", query, len(list), want, w.Code, w.Body, err)
		}
		if last := list[want-1]; last.Reason != "reason 4" || string(last.Data) != "{" || last.Source != event.SourceFalco {
			t.Errorf("%q ends with %+v", query, last)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=1001", "?limit=-1", "?limit=x"} {
		if w := r.get("/v1/dead"+query, "token-ann"); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
}
