package client

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
)

func TestNoTokenInTheClear(t *testing.T) {
	tests := map[string]bool{
		"https://firebreak.example:8443": true,
		"https://10.0.0.1":               true,
		"http://127.0.0.1:8443":          true,
		"http://[::1]:8443":              true,
		"http://localhost:8443":          true,
		"http://firebreak.example":       false,
		"http://10.0.0.1:8443":           false,
		"http://127.0.0.1.example":       false,
		"http://localhost.example":       false,
		"http://0.0.0.0:8443":            false,
		"HTTP://firebreak.example":       false,
		"ftp://127.0.0.1":                false,
		"firebreak.example:8443":         false,
		"//127.0.0.1":                    false,
		"https://":                       false,
		"":                               false,
		"http://127.0.0.1@evil.example":  false,
		"http://evil.example#127.0.0.1":  false,
	}
	for server, ok := range tests {
		if _, err := New(Options{Server: server, Token: "t"}); (err == nil) != ok {
			t.Errorf("%q: %v", server, err)
		}
	}
}

func TestCertificateAuthority(t *testing.T) {
	dir := t.TempDir()
	if _, err := New(Options{Server: "https://x", CA: filepath.Join(dir, "none")}); err == nil {
		t.Error("a file that is not there was taken")
	}
	bad := filepath.Join(dir, "bad")
	if err := os.WriteFile(bad, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Server: "https://x", CA: bad}); err == nil || !strings.Contains(err.Error(), "no PEM certificate") {
		t.Errorf("gave %v", err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") }))
	defer server.Close()
	unknown, err := New(Options{Server: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unknown.Runs(t.Context()); err == nil {
		t.Error("a certificate of nobody was taken")
	}
	good := filepath.Join(dir, "good")
	if err := os.WriteFile(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := New(Options{Server: server.URL, CA: good, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := known.Runs(t.Context()); err != nil {
		t.Errorf("runs: %v", err)
	}
}

func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := New(Options{Server: server.URL, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRedirectsAreNotFollowed: wherever a server points, the token stays.
func TestRedirectsAreNotFollowed(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	defer other.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	_, err := c.Pause(t.Context(), "")
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusTemporaryRedirect || leaked.Load() {
		t.Errorf("gave %v; followed: %v", err, leaked.Load())
	}
}

func TestErrorsAreTheServersWords(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   string
	}{
		"said":             {403, `{"error":"ann may not"}`, "ann may not"},
		"not said":         {502, `<html>`, "502 Bad Gateway"},
		"said empty":       {500, `{"error":""}`, "500 Internal Server Error"},
		"said with colour": {403, `{"error":"\u001b[2J\u202eann"}`, "\ufffd[2J\ufffdann"},
		"said at length":   {403, `{"error":"` + strings.Repeat("x", 1<<20) + `"}`, strings.Repeat("x", maxText) + "…"},
		"no JSON":          {200, `{`, "read answer"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			_, err := c.Runs(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > maxText+100 {
				t.Errorf("gave %.200v", err)
			}
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Error("the token is in the error")
			}
		})
	}
}

// api is a server that stores an input and takes it in after some looks.
type api struct {
	run   event.Run
	looks int
	after int
	said  approve.Say
	path  string
	auth  string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.auth = r.Header.Get("Authorization")
	switch {
	case r.Method == http.MethodPost:
		a.path = r.URL.Path
		_ = json.NewDecoder(r.Body).Decode(&a.said)
		w.WriteHeader(http.StatusAccepted)
		_ = json.NewEncoder(w).Encode(approve.Said{Run: a.run.ID, Sequence: 7, User: "ann"})
	case r.URL.Path == "/v1/runs":
		_ = json.NewEncoder(w).Encode([]event.Run{a.run, {ID: strings.Repeat("b", 32), Spec: "text"}, {ID: "bbbb" + strings.Repeat("c", 28), Spec: "text"}})
	default:
		if a.looks++; a.looks >= a.after {
			a.run.Input = 7
		}
		_ = json.NewEncoder(w).Encode(a.run)
	}
}

func TestSayWaitsUntilItIsTakenIn(t *testing.T) {
	a := &api{run: event.Run{ID: strings.Repeat("a", 32)}, after: 3}
	c := serve(t, a.ServeHTTP)
	said, run, err := c.Say(t.Context(), a.run.ID, "approve", approve.Say{Digest: "d1"})
	if err != nil || said.Sequence != 7 || run.Input != 7 || a.looks != 3 {
		t.Errorf("gave %+v, %+v, %v after %d looks", said, run, err, a.looks)
	}
	if a.path != "/v1/runs/"+a.run.ID+"/approve" || a.said.Digest != "d1" || a.auth != "Bearer secret" {
		t.Errorf("sent %+v to %s as %s", a.said, a.path, a.auth)
	}
	a.looks, a.after, a.run.Input, a.run.State = 0, 99, 0, event.RunClosed
	if _, _, err := c.Say(t.Context(), a.run.ID, "undo", approve.Say{}); err != nil {
		t.Errorf("a run that is over gave %v", err)
	}
}

func TestSayGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a := &api{run: event.Run{ID: strings.Repeat("a", 32)}, after: 99}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		a.ServeHTTP(w, r)
		if a.looks == 2 {
			cancel()
		}
	})
	if _, _, err := c.Say(ctx, a.run.ID, "undo", approve.Say{}); !errors.Is(err, context.Canceled) {
		t.Errorf("gave %v", err)
	}
}

func TestFind(t *testing.T) {
	a := &api{run: event.Run{ID: strings.Repeat("a", 32)}}
	c := serve(t, a.ServeHTTP)
	for prefix, want := range map[string]string{
		"aaaa": a.run.ID, a.run.ID: a.run.ID, "aaa": "no run begins", "": "no run begins", "bbbb": "more than one", "bbbbb": strings.Repeat("b", 32),
		"dddd": "no run begins",
	} {
		run, err := c.Find(t.Context(), prefix)
		if got := run.ID + fmt.Sprint(err); !strings.Contains(got, want) {
			t.Errorf("%q gave %s", prefix, got)
		}
	}
}

// TestMayBeforeItIsSaid: what the server refuses is heard, and a server that knows no
// such question leaves it to the word itself.
func TestMayBeforeItIsSaid(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"may": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/runs/r1/approve/may" || r.Method != http.MethodPost {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, `{"run":"r1","user":"ann"}`)
		}, ""},
		"may not": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":"ann is locked out by run x"}`)
		}, "ann is locked out by run x"},
		"no such run": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error":"there is no such run"}`)
		}, "there is no such run"},
		"an older server": {http.NotFound, ""},
	} {
		err := serve(t, tt.answer).May(t.Context(), "r1", "approve", approve.Say{Digest: "d1"})
		if (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
