package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// What is far behind all that is kept is not searched, and is named as cut; wherever
// the cut is, nothing of a secret stays.
func TestRedactLong(t *testing.T) {
	const secret = "AKIAQWERTYUIOPASDFGH" // #nosec G101 -- made up
	for shift := range len(secret) + 2 {
		for _, n := range []int{maxField, maxField + beyond} {
			text := strings.Repeat("x ", n)[:n-shift-1] + " " + secret + strings.Repeat(" z", 60<<10)
			e := event.Event{Message: text, HTTP: event.HTTP{Path: text}, Fields: event.Fields{"a": text}}
			finish(&e)
			for part, s := range map[string]string{"message": e.Message, "http.path": e.HTTP.Path, "fields.a": fmt.Sprint(e.Fields["a"])} {
				if strings.Contains(s, "AKIA") {
					t.Errorf("%s, a secret %d bytes before %d: …%s", part, shift, n, s[strings.Index(s, "AKIA"):])
				}
				if !slices.Contains(e.Cut, part) {
					t.Errorf("%s is not named as cut: %v", part, e.Cut)
				}
			}
		}
	}
}

// A text that shrinks below what is kept is still named as cut, ends before what
// was not searched, and no more of it was searched than what is kept and a part.
func TestRedactLongShrinks(t *testing.T) {
	var b strings.Builder
	for range 64 {
		b.WriteString("password=" + strings.Repeat("q8", 2<<10) + " ")
	}
	e := event.Event{Message: b.String()}
	finish(&e)
	if n := strings.Count(e.Message, "<redacted>"); n > (maxField+beyond)>>12 || strings.Contains(e.Message, "q8") {
		t.Errorf("%d secrets were looked for: %.200q", n, e.Message)
	}
	if !slices.Contains(e.Cut, "message") {
		t.Errorf("it is not named as cut: %v", e.Cut)
	}
}
