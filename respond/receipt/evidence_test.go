package receipt

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestEvidenceOfARecord: what is kept is held against the record that names it,
// each byte and the length, and nothing of any length is read to the end.
func TestEvidenceOfARecord(t *testing.T) {
	hello := "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	run := event.Run{Steps: []event.Step{{Name: "tell"}, {Name: "keep", Receipt: &event.Receipt{Output: map[string]string{
		"objects": "2", "object": "r/keep/a.log", "where": "file:///e", "sha256": hello, "bytes": "5",
		"2.object": "r/keep/b.log", "2.where": "file:///e", "2.sha256": hello, "2.bytes": "5",
		"3.object": "r/keep/c.log", "3.sha256": "short", "3.bytes": "5",
	}}}}}
	p := Proof{Evidence: keptBy(run)}
	if len(p.Evidence) != 2 || p.Evidence[1].Object != "r/keep/b.log" || p.Evidence[0].Size != 5 || p.Evidence[0].Step != "keep" {
		t.Fatalf("%+v", p.Evidence)
	}
	none := errors.New("no such object")
	for text, want := range map[string]error{"hello": nil, "hellO": ErrDisproved, "hell": ErrDisproved, "hello!": ErrDisproved, "": none, "endless": ErrDisproved} {
		err := CheckEvidence(t.Context(), p, func(_ context.Context, _ Evidence, w io.Writer) error {
			switch text {
			case "":
				return none
			case "endless":
				for {
					if _, err := io.WriteString(w, "hello"); err != nil {
						return err
					}
				}
			}
			_, err := io.Copy(w, strings.NewReader(text))
			return err
		})
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}
