package ingest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/ingest/limit"
	"github.com/firebreak-io/firebreak/internal/event"
)

// sinkFunc is a sink.
type sinkFunc func(ctx context.Context, events []event.Event) error

func (f sinkFunc) Put(ctx context.Context, events []event.Event) error { return f(ctx, events) }

// handlerOf serves one endpoint into a sink.
func handlerOf(t *testing.T, e Endpoint, sink Sink) (http.Handler, *tally) {
	t.Helper()
	metrics := newTally()
	h, err := NewHandler(HTTPOptions{Endpoints: []Endpoint{e}, Sink: sink, Store: &fakeStore{}, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	return h, metrics
}

func postTo(h http.Handler, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("POST", path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

var bearer = []string{"Authorization", "Bearer " + testToken}

// A body is taken whole or refused whole, and who is refused is told when to
// come again, and then gets in.
func TestHandlerLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeStore{}
		e := testEndpoint("falco", credential.Fixed(testToken, testPath))
		e.Limit = limit.New(limit.Config{EventsPerSecond: 2, Burst: 4}, time.Now())
		h, metrics := handlerOf(t, e, direct{store})
		ten := "[" + strings.Repeat(oneAlert+",", 9) + oneAlert + "]"
		if w := postTo(h, "/v1/falco", ten, bearer...); w.Code != 200 {
			t.Fatalf("the first body: %d %s", w.Code, w.Body)
		}
		w := postTo(h, "/v1/falco", oneAlert, bearer...)
		after, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if w.Code != 429 || err != nil || after != 4 { // 4 − 10 = −6 of all, −8 of its part at 2 a second
			t.Errorf("in debt: %d %v %s", w.Code, w.Header(), w.Body)
		}
		if len(store.events()) != 10 || metrics.rejected["falco limited"] != 1 {
			t.Errorf("%d events, %v", len(store.events()), metrics.rejected)
		}
		<-time.After(time.Duration(after) * time.Second)
		if w := postTo(h, "/v1/falco", oneAlert, bearer...); w.Code != 200 {
			t.Errorf("after the wait: %d %s", w.Code, w.Body)
		}
	})
}

// While detectors are behind, or the store hangs, a sender is told so within
// five seconds.
func TestHandlerStoreHangs(t *testing.T) {
	behind := sinkFunc(func(context.Context, []event.Event) error {
		return fmt.Errorf("store events: %w: unread 80 %%", ErrBehind)
	})
	for name, c := range map[string]struct {
		sink   Sink
		reason string
	}{
		"hangs":  {nil, "events can't be stored now"},
		"behind": {behind, "detectors are behind, try again"},
	} {
		synctest.Test(t, func(t *testing.T) {
			if c.sink == nil {
				b := NewBatcher(&fakeStore{slow: time.Hour}, 0)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go b.Run(ctx)
				c.sink = b
			}
			h, _ := handlerOf(t, testEndpoint("falco", credential.Fixed(testToken, "")), c.sink)
			began := time.Now()
			w := postTo(h, "/v1/falco", oneAlert, bearer...)
			if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), c.reason) {
				t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%s: answered after %v", name, took)
			}
		})
	}
}

// The token travels in several ways; who shows none does not keep the
// connection.
func TestHandlerTakesTokens(t *testing.T) {
	e := testEndpoint("audit", credential.Fixed(testToken, ""))
	e.KeyHeader = "X-Amz-Firehose-Access-Key"
	h, _ := handlerOf(t, e, direct{&fakeStore{}})
	for _, c := range []struct {
		name, header, value string
		status              int
	}{
		{"bearer", "Authorization", "bearer  " + testToken + " ", 200},
		{"basic", "Authorization", "Basic Zmx1ZW50Yml0OnRva2VuLXRva2VuLXRva2Vu", 200}, // fluentbit:token-token-token
		{"the header of its protocol", "X-Amz-Firehose-Access-Key", testToken, 200},
		{"nothing", "X-Other", testToken, 401},
		{"wrong key", "X-Amz-Firehose-Access-Key", testToken + "x", 401},
		{"malformed basic", "Authorization", "Basic " + testToken, 401},
		{"basic as the user", "Authorization", "Basic dG9rZW4tdG9rZW4tdG9rZW46", 401}, // token-token-token:
		{"another scheme", "Authorization", "Digest " + testToken, 401},
	} {
		w := postTo(h, "/v1/audit", oneAudit, c.header, c.value)
		if w.Code != c.status || (c.status == 401) != (w.Header().Get("Connection") == "close") {
			t.Errorf("%s: %d %v", c.name, w.Code, w.Header())
		}
	}
}
