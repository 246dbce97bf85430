package approve

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/evidence"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// TestEvidence: who may gets what was kept, to the byte and with its hash; nobody
// else gets any, no name leads out of the store, and what was changed since does
// not come whole.
func TestEvidence(t *testing.T) {
	r := newRig(t)
	dir := filepath.Join(t.TempDir(), "kept")
	store := &evidence.Store{Blobs: evidence.Directory(dir)}
	name := r.run.Run.ID + "/logs/web.log"
	o, err := store.Keep(t.Context(), name, evidence.Reading(strings.NewReader("what it said"), 100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer((&API{
		Reviewer: r.cluster, Bus: r.bus, Log: r.log, Incidents: incident.NewList(r.bus), Control: respond.NewControl(r.bus, event.ModeAsk), Logger: slog.New(slog.DiscardHandler), Evidence: store,
	}).Handler())
	defer server.Close()
	get := func(path string) (int, string, string, error) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/evidence/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer token-ann")
		resp, err := server.Client().Do(req)
		if err != nil {
			return 0, "", "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), resp.Header.Get(EvidenceHeader), err
	}
	if status, body, _, _ := get(name); status != http.StatusForbidden || !strings.Contains(body, "get evidence.firebreak.io in namespace shop") {
		t.Errorf("without the right: %d %s", status, body)
	}
	r.cluster.may["ann get evidence/ shop"] = true
	if status, body, sum, err := get(name); err != nil || status != http.StatusOK || body != "what it said" || sum != o.SHA256 {
		t.Errorf("%d %q %s %v", status, body, sum, err)
	}
	id := r.run.Run.ID
	for _, path := range []string{id + "/none", id, id + "/..%2f..%2fsecret", id + "/%2e%2e/%2e%2e/secret", event.HashID("another") + "/logs/web.log", "x/y", id + "/" + strings.Repeat("a", 600)} {
		if status, body, _, err := get(path); err != nil || status != http.StatusNotFound {
			t.Errorf("%s: %d %q %v", path, status, body, err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("what it sAid"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, body, _, err := get(name); err == nil && status == http.StatusOK {
		t.Errorf("what was changed since comes whole: %q", body)
	}
}
