package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// TestSpool: what is kept comes back in any order, wherever the bound of the
// memory lies.
func TestSpool(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &spool{limit: rapid.Int64Range(0, 200).Draw(t, "limit")}
		defer s.close()
		items := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 40)).Draw(t, "items")
		at := make([]int64, len(items))
		for i, data := range items {
			var err error
			if at[i], err = s.add(data); err != nil {
				t.Fatal(err)
			}
		}
		order := make([]int, len(items))
		for i := range order {
			order[i] = i
		}
		for _, i := range rapid.Permutation(order).Draw(t, "order") {
			got, err := s.read(at[i], len(items[i]))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, items[i]) {
				t.Fatalf("item %d is %x, was %x", i, got, items[i])
			}
		}
	})
}

// TestIncidentsAreThoseOfTheResponder: looking only at incidents that share a
// key gives what looking at all of them gives.
func TestIncidentsAreThoseOfTheResponder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fast := newIncidents()
		var all []event.Incident
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		name := rapid.SampledFrom([]string{"", "a", "b", "c"})
		for i := range rapid.IntRange(1, 40).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "minutes")) * time.Minute)
			f := event.Finding{
				ID: event.HashID(string(rune(i))), Rule: name.Draw(t, "rule"), Source: event.SourceAudit, Time: now, Received: now,
				Severity: rapid.SampledFrom(event.Severities()).Draw(t, "severity"),
				Subject:  event.PodRef("n", name.Draw(t, "pod")), Actor: event.Actor{User: name.Draw(t, "user"), Address: name.Draw(t, "address")},
			}
			want, _ := incident.Group(all, f)
			if i := indexOf(all, want.ID); i >= 0 {
				all[i] = want
			} else {
				all = append(all, want)
			}
			if diff := cmp.Diff(want, fast.add(f, event.ImportanceNormal)); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func indexOf(all []event.Incident, id string) int {
	for i, in := range all {
		if in.ID == id {
			return i
		}
	}
	return -1
}

// TestLinesCantSteerATerminal: whatever an event holds, a line of output is one
// line of valid JSON with the same meaning and without control characters, and
// so is the text.
func TestLinesCantSteerATerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\x1b[2J", "\u009b2J", "\u202ex", "a\nb", "\r", "\U000e0041", "<&>", "\u2028"})).Draw(t, "text")
		f := event.Finding{Rule: s, Explanation: s, Subject: event.PodRef(s, s), Events: []event.Address{{ID: s, From: s}}}
		run := Run{Run: event.Run{Playbook: s, Target: f.Subject, Steps: []event.Step{{Name: s, Action: s}}}, Verdicts: []Verdict{{"pass", s}}}
		x := event.Rejected{From: s, Reason: s}
		for name, form := range map[string]func(*bytes.Buffer) Sink{
			"ndjson": func(b *bytes.Buffer) Sink { return NDJSON(b) },
			"text":   func(b *bytes.Buffer) Sink { return Text(b) },
		} {
			var out bytes.Buffer
			to := form(&out)
			if err := errors.Join(to.Finding(f), to.Run(run), to.Rejected(x), to.Summary(Summary{})); err != nil {
				t.Fatal(err)
			}
			if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf) }); i >= 0 {
				t.Fatalf("%s: %q", name, out.String()[i:])
			}
			if name == "text" {
				continue
			}
			lines := bytes.Split(bytes.TrimSuffix(out.Bytes(), []byte("\n")), []byte("\n"))
			var got findingLine
			if err := json.Unmarshal(lines[0], &got); err != nil || len(lines) != 4 {
				t.Fatalf("%d lines, the first %s: %v", len(lines), lines[0], err)
			}
			if want := strings.ToValidUTF8(s, "\ufffd"); got.Rule != want {
				t.Fatalf("rule %q, want %q", got.Rule, want)
			}
		}
	})
}
