package main

import (
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// A model that began anew says since when, what was kept and what is gone, and that
// its pin is lost.
func TestSayModelAnew(t *testing.T) {
	s := event.ModelState{Name: "api", Anew: &event.ModelAnew{
		Since: time.Date(2026, 3, 2, 1, 0, 0, 0, time.UTC), Kept: []string{"verdicts: 2 right"}, Gone: []string{"the pin: it learns"}, Unpinned: true,
	}}
	var out strings.Builder
	sayModel(&out, s)
	for _, want := range []string{"pin lost, warming up", "it began anew at 2026-03-02T01:00:00Z", "kept      verdicts: 2 right", "gone      the pin: it learns"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if s.Ready = true; standing(s) != "pin lost, learning" {
		t.Errorf("ready, it is %q", standing(s))
	}
}
