package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// TestHolds: all holds without a record come, however many pages they are.
func TestHolds(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		q := r.URL.Query()
		if r.URL.Path != "/v1/holds" || q.Get("namespace") != "shop" || q.Get("prefix") != "ab" {
			t.Errorf("asked for %s", r.URL)
		}
		from, _ := strconv.Atoi(q.Get("after"))
		page := []respond.Unclaimed{}
		for i := from; i < min(from+100, 250); i++ {
			page = append(page, respond.Unclaimed{Run: fmt.Sprint(i)})
		}
		if from+100 < 250 {
			w.Header().Set(approve.NextHeader, strconv.Itoa(from+100))
		}
		w.Header().Set(approve.MoreHeader, "3")
		_ = json.NewEncoder(w).Encode(page)
	}))
	defer server.Close()
	c, err := New(Options{Server: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.Holds(t.Context(), "shop", "ab")
	if err != nil || asked != 3 || len(all.Holds) != 250 || all.Holds[249].Run != "249" || all.More != 3 {
		t.Errorf("%d holds, %d more of %d pages (%v)", len(all.Holds), all.More, asked, err)
	}
}
