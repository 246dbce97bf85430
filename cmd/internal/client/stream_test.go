package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/firebreak-io/firebreak/respond/approve"
)

// TestEventsGoOn: pages follow one another, and one that breaks off is asked for
// again from where it broke; nothing comes twice, nothing is left out.
func TestEventsGoOn(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		frame := func(n int) { fmt.Fprintf(w, `{"sequence":%d,"events":[{"id":"%d"}]}`+"\n", n, n) }
		switch r.URL.Query().Get("from") {
		case "":
			frame(1)
			frame(2)
			fmt.Fprintln(w, `{"next":3,"last":6,"end":true}`)
		case "3":
			frame(3)
			fmt.Fprint(w, `{"sequence":4,"eve`)
		case "4":
			frame(4)
		case "5":
			frame(5)
			frame(6)
			fmt.Fprintln(w, `{"next":0,"last":6,"end":true}`)
		default:
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
	}))
	defer server.Close()
	c, err := New(Options{Server: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(s Span) (got string, err error) {
		err = c.Events(t.Context(), s, func(f approve.Frame, _ uint64) error {
			got += f.Events[0].ID
			return nil
		})
		return got, err
	}
	if got, err := read(Span{}); got != "123456" || err != nil || calls != 4 {
		t.Errorf("read %q in %d calls, %v", got, calls, err)
	}
	if got, err := read(Span{To: 4}); got != "1234" || err != nil {
		t.Errorf("up to 4 it read %q, %v", got, err)
	}
	stop := errors.New("stop")
	if err := c.Events(t.Context(), Span{}, func(approve.Frame, uint64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("it went on: %v", err)
	}
}

// TestEventsGiveUp: what always breaks off is an error.
func TestEventsGiveUp(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		fmt.Fprint(w, `{"sequence":`)
	}))
	defer server.Close()
	c, err := New(Options{Server: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Events(t.Context(), Span{}, nil); !errors.Is(err, errCut) || calls != maxTries+1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
}
