package notify

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// build makes a notifier of a kind of the catalogue.
func build(t *testing.T, kind string, d Deps, config any) Notifier {
	t.Helper()
	k, ok := Lookup(kind)
	if !ok {
		t.Fatalf("no kind %s", kind)
	}
	if k.Check != nil {
		if err := k.Check(config); err != nil {
			t.Fatal(err)
		}
	}
	n, err := k.New(d, config)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// secretFile is a file with a secret.
func secretFile(t *testing.T, text string) conf.SecretFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return conf.SecretFile{Path: path}
}

func TestWebhook(t *testing.T) {
	var status int
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
	}))
	defer server.Close()
	d := Deps{Inside: func(string) *http.Client { return server.Client() }, Now: func() time.Time { return noon }}
	w := build(t, WebhookKind, d, &WebhookConfig{URL: server.URL + "/secret-path", Secret: secretFile(t, "s3cret"), AllowPrivate: true})
	m := Message{Receiver: "ops", Key: "run1/tell", Incident: "i1", Op: Trigger, Body: json.RawMessage(`{"version":1}`)}
	status = http.StatusNoContent
	if err := w.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if string(body) != `{"version":1}` || got.Header.Get(KeyHeader) != "run1/tell" || got.Header.Get(SignatureHeader) != Sign([]byte("s3cret"), noon.Unix(), body) {
		t.Error(string(body), got.Header)
	}
	m.Body, m.Op, m.Notice.Title = nil, Resolve, "<b>"
	if err := w.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var said WebhookMessage
	if err := json.Unmarshal(body, &said); err != nil || said.Version != 1 || said.Op != Resolve || said.Incident != "i1" || said.Notice.Title != "<b>" {
		t.Errorf("%s: %+v, %v", body, said, err)
	}
	var refused *Refused
	var later *Later
	for code, want := range map[int]string{302: "again", 400: "refused", 401: "again", 404: "again", 410: "refused", 429: "later", 500: "later", 503: "later"} {
		status = code
		err := w.Send(t.Context(), m)
		is := "again"
		switch {
		case err == nil:
			is = "taken"
		case errors.As(err, &refused):
			is = "refused"
		case errors.As(err, &later):
			if is = "later"; later.After != 7*time.Second {
				t.Errorf("after %s", later.After)
			}
		}
		if is != want {
			t.Errorf("%d: %v is %s, want %s", code, err, is, want)
		}
	}
	server.Close()
	if err := w.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "secret-path") {
		t.Error(err)
	}
}

func TestWebhookConfig(t *testing.T) {
	k, _ := Lookup(WebhookKind)
	for _, c := range []struct {
		url     string
		private bool
		good    bool
	}{
		{"https://x.example/", false, true}, {"http://x.example/", false, false}, {"http://x.example/", true, true},
		{"file:///etc/passwd", true, false}, {"https://user:pass@x.example/", false, false}, {"", false, false}, {"https://", true, false},
	} {
		if err := k.Check(&WebhookConfig{URL: c.url, AllowPrivate: c.private}); (err == nil) != c.good {
			t.Errorf("%q: %v", c.url, err)
		}
	}
	if got := Sign([]byte("k"), 1, []byte("b")); got != "t=1,v1=2946e37a45bb02a0bf1bf1a7d9219543801fedd301f9f485aebd72c928639bea" {
		t.Error(got)
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "-1": 0, "x": 0, "99999999999999": 0,
		noon.Add(time.Minute).Format(http.TimeFormat): time.Minute, noon.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(text, noon); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
