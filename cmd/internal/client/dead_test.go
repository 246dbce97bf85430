package client

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestDeadAsksForSoMany(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/dead" || r.URL.Query().Get("limit") != "7" || r.Header.Get("Authorization") != "Bearer t" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, `[{"sequence":3,"source":"falco","reason":"empty"}]`)
	}))
	defer server.Close()
	c, err := New(Options{Server: server.URL, Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Dead(t.Context(), 7)
	if err != nil || len(list) != 1 || list[0].Sequence != 3 || list[0].Reason != "empty" {
		t.Errorf("got %+v, %v", list, err)
	}
}
