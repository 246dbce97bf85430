package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	testToken = "token-token-token"
	testPath  = "path-path-path-path"
	oneAlert  = `{"rule":"r","output":"o","time":"2026-01-02T03:04:05Z"}`
	oneAudit  = `{"kind":"Event","auditID":"1","verb":"get","requestReceivedTimestamp":"2026-01-02T03:04:05Z"}`
)

func newTestHandler(t *testing.T) (http.Handler, *fakeStore, *tally) {
	t.Helper()
	store, metrics := &fakeStore{}, newTally()
	both := credential.Fixed(testToken, testPath)
	h, err := NewHandler(HTTPOptions{
		Endpoints: []Endpoint{testEndpoint("falco", both), testEndpoint("audit", credential.Fixed("another-token-here", ""))},
		Sink:      direct{store}, Store: store, Metrics: metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, store, metrics
}

// testEndpoint is that of a source of the catalogue.
func testEndpoint(name string, c *credential.Set) Endpoint {
	k, _ := Lookup(name)
	return Endpoint{
		Name: name, Source: k.Source, Credential: c, MaxBody: k.Config().(postedConfig).posted().MaxBody, Root: name == "falco",
		Decode: func(_ *http.Request, body []byte, o Origin, give func([]event.Event) error) ([]event.Rejected, error) {
			events, rejects := k.Decode(body, o)
			if len(events) == 0 {
				return rejects, nil
			}
			return rejects, give(events)
		},
	}
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

func TestHandlerAnswers(t *testing.T) {
	json := http.Header{"Content-Type": {"application/json"}}
	gz := http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}
	for _, c := range []struct {
		name, method, path, token string
		header                    http.Header
		body                      string
		status                    int
		answer                    string
		events, dead              int
	}{
		{"bearer", "POST", "/v1/falco", testToken, json, oneAlert, 200, `{"accepted":1,"rejected":0}`, 1, 0},
		{"secret path", "POST", "/v1/falco/" + testPath, "", json, oneAlert, 200, "", 1, 0},
		{"root", "POST", "/", testToken, json, oneAlert, 200, "", 1, 0},
		{"root secret", "POST", "/" + testPath, "", json, oneAlert, 200, "", 1, 0},
		{"audit", "POST", "/v1/audit", "another-token-here", json, `{"kind":"EventList","items":[` + oneAudit + `]}`, 200, "", 1, 0},
		{"no type", "POST", "/v1/falco", testToken, nil, oneAlert, 200, "", 1, 0},
		{"other JSON type", "POST", "/v1/falco", testToken, http.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, oneAlert, 200, "", 1, 0},
		{"gzip", "POST", "/v1/falco", testToken, gz, string(zipped([]byte(oneAlert))), 200, "", 1, 0},
		{"partly bad", "POST", "/v1/falco", testToken, json, "[" + oneAlert + `,{"rule":1}]`, 200, `{"accepted":1,"rejected":1}`, 1, 1},
		{"empty list", "POST", "/v1/falco", testToken, json, "[]", 200, `{"accepted":0,"rejected":0}`, 0, 0},

		{"no credential", "POST", "/v1/falco", "", json, oneAlert, 401, `{"error":"unauthorized"}`, 0, 0},
		{"wrong token", "POST", "/v1/falco", "token-token-tokeN", json, oneAlert, 401, "", 0, 0},
		{"wrong path", "POST", "/v1/falco/x", "", json, oneAlert, 401, "", 0, 0},
		{"wrong root path", "POST", "/x", "", json, oneAlert, 401, "", 0, 0},
		{"token of another source", "POST", "/v1/audit", testToken, json, oneAudit, 401, "", 0, 0},
		{"secret of another source", "POST", "/v1/audit/" + testPath, "", json, oneAudit, 401, "", 0, 0},
		{"empty secret", "POST", "/v1/audit/", "", json, oneAudit, 404, "", 0, 0},
		{"get", "GET", "/v1/falco", testToken, nil, "", 405, "", 0, 0},
		{"put", "PUT", "/v1/audit", testToken, nil, "", 405, "", 0, 0},
		{"malformed", "POST", "/v1/falco", testToken, json, `{"rule":`, 400, `"error":"JSON is cut off at byte 8"`, 0, 1},
		{"no body", "POST", "/v1/falco", testToken, json, "", 400, `"error":"empty"`, 0, 1},
		{"not an alert", "POST", "/v1/falco", testToken, json, `{}`, 400, "no rule", 0, 1},
		{"two values", "POST", "/v1/falco", testToken, json, oneAlert + oneAlert, 200, `"accepted":2`, 2, 0},
		{"JSON lines with a bad one", "POST", "/v1/falco", testToken, json, oneAlert + "\n{\"rule\":\n" + oneAlert, 200, `"accepted":2,"rejected":1`, 2, 1},
		{"plain text", "POST", "/v1/falco", testToken, http.Header{"Content-Type": {"text/plain"}}, "x", 415, "", 0, 1},
		{"byte order mark", "POST", "/v1/falco", testToken, nil, "\xef\xbb\xbf" + oneAlert, 200, "", 1, 0},
		{"old name of gzip", "POST", "/v1/falco", testToken, http.Header{"Content-Encoding": {"X-Gzip"}}, string(zipped([]byte(oneAlert))), 200, "", 1, 0},
		{"parameter without a value", "POST", "/v1/falco", testToken, http.Header{"Content-Type": {"application/json; charset"}}, oneAlert, 200, "", 1, 0},
		{"form", "POST", "/v1/falco", testToken, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "x", 415, "", 0, 1},
		{"other encoding", "POST", "/v1/falco", testToken, http.Header{"Content-Encoding": {"br"}}, "x", 415, "", 0, 1},
		{"too large", "POST", "/v1/falco", testToken, json, strings.Repeat(" ", 1<<20) + oneAlert, 413, "", 0, 1},
		{"gzip bomb", "POST", "/v1/audit", "another-token-here", gz, string(zipped(make([]byte, 8<<20))), 413, "compressed too well", 0, 1},
		{"too large inflated", "POST", "/v1/falco", testToken, gz, string(zipped(varied(2 << 20))), 413, "larger than", 0, 1},
		{"not gzip", "POST", "/v1/falco", testToken, gz, oneAlert, 400, "malformed gzip", 0, 1},
		{"cut gzip", "POST", "/v1/falco", testToken, gz, string(zipped([]byte(oneAlert))[:30]), 400, "", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, store, metrics := newTestHandler(t)
			req := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			for name, v := range c.header {
				req.Header[name] = v
			}
			if c.token != "" {
				req.Header.Set("Authorization", "Bearer "+c.token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.answer) {
				t.Errorf("answer %d %s, want %d %s", w.Code, w.Body, c.status, c.answer)
			}
			if len(store.events()) != c.events || len(store.dead) != c.dead {
				t.Errorf("%d events, %d dead, want %d, %d", len(store.events()), len(store.dead), c.events, c.dead)
			}
			counted := 0
			for _, n := range metrics.rejected {
				counted += n
			}
			if c.dead > counted || c.status == 401 && counted != 1 {
				t.Errorf("rejects counted: %v", metrics.rejected)
			}
		})
	}
}

// varied compresses, but not past all belief.
func varied(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "0123456789abcdef"[x>>28]
	}
	return b
}

func TestHandlerStoreDown(t *testing.T) {
	for _, body := range []string{oneAlert, "{"} {
		h, store, _ := newTestHandler(t)
		store.fail(errors.New("disk full of secrets"))
		req := httptest.NewRequest("POST", "/v1/falco", strings.NewReader(body))
		req.Header.Set("Authorization", "bearer "+testToken)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "disk") {
			t.Errorf("%s: %d %v %s", body, w.Code, w.Header(), w.Body)
		}
	}
}

// Past the budget a request waits; past the queue it is sent away at once.
func TestHandlerOverload(t *testing.T) {
	h, _, metrics := newTestHandler(t)
	gate := gateOf(t, h)
	if _, err := gate.enter(t.Context(), gate.ownBodies.size); err != nil {
		t.Fatal(err)
	}
	for range cap(gate.ownBodies.waiting) {
		gate.ownBodies.waiting <- struct{}{}
	}
	req := httptest.NewRequest("POST", "/v1/falco", strings.NewReader(oneAlert))
	req.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || metrics.rejected["falco overload"] != 1 {
		t.Errorf("%d %v %v", w.Code, w.Header(), metrics.rejected)
	}
	// Another source has room all the same.
	req = httptest.NewRequest("POST", "/v1/audit", strings.NewReader(oneAudit))
	req.Header.Set("Authorization", "Bearer another-token-here")
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, req); w.Code != 200 {
		t.Errorf("the neighbour of a flood: %d %s", w.Code, w.Body)
	}
}

func gateOf(t *testing.T, h http.Handler) *gate {
	t.Helper()
	r, _ := h.(*http.ServeMux).Handler(httptest.NewRequest("POST", "/v1/falco", nil))
	receiver, ok := r.(*receiver)
	if !ok {
		t.Fatalf("handler is %T", r)
	}
	return receiver.gate
}

// A body that breaks off in the middle is no event.
func TestHandlerBodyBreaksOff(t *testing.T) {
	h, store, _ := newTestHandler(t)
	req := httptest.NewRequest("POST", "/v1/falco", io.MultiReader(strings.NewReader(oneAlert[:20]), failing{io.ErrUnexpectedEOF}))
	req.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code != 400 || len(store.events()) != 0 || len(store.dead) != 1 {
		t.Errorf("%d, %d events, %d dead", w.Code, len(store.events()), len(store.dead))
	}
}

func TestNoSourceIsOpen(t *testing.T) {
	store := &fakeStore{}
	for name, e := range map[string]Endpoint{
		"no credential": testEndpoint("falco", nil),
		"short":         testEndpoint("falco", credential.Fixed("short", "")),
		"no decoder":    {Name: "x", MaxBody: 1, Credential: credential.Fixed(testToken, "")},
	} {
		if _, err := NewHandler(HTTPOptions{Endpoints: []Endpoint{e}, Sink: direct{store}, Store: store, Metrics: newTally()}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
