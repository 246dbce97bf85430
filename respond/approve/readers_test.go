package approve

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Who may sees for whom events are kept, and who may more gives one up.
func TestReaders(t *testing.T) {
	r := newRig(t)
	ask := func(method, path string, want int, text string) {
		t.Helper()
		req := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		req.Header.Set("Authorization", "Bearer token-ann")
		w := httptest.NewRecorder()
		r.api.ServeHTTP(w, req)
		if w.Code != want || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s %s: %d %s, want %d %s", method, path, w.Code, w.Body, want, text)
		}
	}
	ask(http.MethodGet, "/v1/readers", http.StatusForbidden, "list readers.firebreak.io")
	r.cluster.may["ann list readers/"] = true
	ask(http.MethodGet, "/v1/readers", http.StatusOK, "[]")
	if err := r.bus.SetRead(t.Context(), "old", 7); err != nil {
		t.Fatal(err)
	}
	ask(http.MethodGet, "/v1/readers", http.StatusOK, `[{"reader":"old","sequence":7}]`)
	ask(http.MethodDelete, "/v1/readers/old", http.StatusForbidden, "delete readers.firebreak.io old")
	r.cluster.may["ann delete readers/old"] = true
	r.cluster.may["ann delete readers/none"] = true
	ask(http.MethodDelete, "/v1/readers/none", http.StatusNotFound, "no such reader")
	ask(http.MethodDelete, "/v1/readers/old", http.StatusOK, `"sequence":7`)
	ask(http.MethodGet, "/v1/readers", http.StatusOK, "[]")
}
