package slack

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/workspace"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"<!channel> & <@U1|x>":   "&lt;!channel&gt; &amp; &lt;@U1|x&gt;",
		"a\nb\tc":                "a b c",
		"<http://evil|click me>": "&lt;http://evil|click me&gt;",
		"abc\u202edef":           "abc\ufffddef",
		"a\u200bb":               "a\ufffdb",
		"x\x1b[31m":              "x\ufffd[31m",
		"\xff":                   "\ufffd",
	} {
		if got := Text(in, 100); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Text("abcdef", 4); got != "abc…" {
		t.Errorf("cut: %q", got)
	}
	if got := cutEscaped("aa&amp;bb", 5); strings.Contains(got, "&a") {
		t.Errorf("half an entity: %q", got)
	}
}

// FuzzText: whatever comes in, what goes out is short, on one line, without
// markup and without characters that change how it is shown.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "<!here>", "&lt;", "a\u2066b", "\x00", strings.Repeat("&", 400), "👩‍👩‍👧", "﷽"} {
		f.Add(s, 50)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 1 || n > 3000 {
			n = 100
		}
		got := Text(s, n)
		raw := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(got)
		if utf8.RuneCountInString(raw) > n || strings.ContainsAny(got, "<>\n\r") || !utf8.ValidString(got) {
			t.Fatalf("%q gives %q", s, got)
		}
		for _, r := range got {
			if unicode.In(r, unicode.Cc, unicode.Cf) {
				t.Fatalf("%q gives %q, with %U", s, got, r)
			}
		}
	})
}

func TestSeal(t *testing.T) {
	s, err := NewSealer("xoxb-1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewSealer("xoxb-1")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[0-9a-f]{0,32}`)
		o := Order{
			Deed: Deed(rapid.SampledFrom([]string{"approve", "deny", "extend"}).Draw(t, "deed")), On: word.Draw(t, "on"), Approval: word.Draw(t, "approval"),
			Digest: word.Draw(t, "digest"), For: shorterHold, Why: rapid.Bool().Draw(t, "why"),
		}
		value := s.Seal(o)
		got, err := again.Open(value)
		if err != nil || got != o {
			t.Fatalf("%+v became %+v, %v", o, got, err)
		}
		at := rapid.IntRange(0, len(value)-1).Draw(t, "at")
		changed := value[:at] + string(rune(value[at]^1)) + value[at+1:]
		if got, err := s.Open(changed); err == nil && changed != value {
			t.Fatalf("%q was changed to %q, and opens as %+v", value, changed, got)
		}
	})
}

// FuzzOpen: only what was sealed opens, whatever comes.
func FuzzOpen(f *testing.F) {
	s, err := NewSealer("xoxb-1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Seal(Order{Deed: DeedApprove, On: "a"}))
	f.Add("v1.approve.a.b.c.0.0.")
	f.Add(".")
	f.Fuzz(func(t *testing.T, value string) {
		if o, err := s.Open(value); err == nil && s.Seal(o) != value {
			t.Fatalf("%q opens as %+v", value, o)
		}
	})
}

// FuzzParseClick: no payload crashes, and what is read names somebody.
func FuzzParseClick(f *testing.F) {
	f.Add(workspace.Press{User: "U1", Value: "v"}.Payload())
	f.Add([]byte(`{"type":"view_submission","user":{"id":"U1","team_id":"T1"},"view":{"callback_id":"firebreak_reason","state":{"values":{"why":{"why":{"value":"x"}}}}}}`))
	f.Add([]byte(`{"actions":[null]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if c, ok, err := parseClick(payload, event.Run{}.Created); ok && err == nil && (c.User == "" || c.Team == "") {
			t.Fatalf("%+v", c)
		}
	})
}

// hostile draws text that tries to be more than text.
func hostile(t *rapid.T, name string) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{
			"<!channel>", "<@U0ANN>", "<https://evil.example|Approve>", "*bold* _it_ `x`", ":fire:", "&amp;&lt;", "a\u202eb", "\x00\x1b[2J",
			strings.Repeat("<&>", 2000), strings.Repeat("long ", 1000), strings.Repeat("𝒳", 4000), "\n\n\n", " ", "```", "|", ".", "\xff\xfe",
		}),
		rapid.String(),
	).Draw(t, name)
}

// TestCardsKeepToLimits: whatever stands in an incident, its runs and how things
// stand, Slack takes the message, and nothing in it is markup.
func TestCardsKeepToLimits(t *testing.T) {
	seal, err := NewSealer("xoxb-1")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		c := drawCard(t)
		m := c.Message(face{Sealer: seal})
		check(t, m)
		for _, s := range []string{"<!channel>", "<@U0ANN>", "<https://evil"} {
			if strings.Contains(m.Text, s) {
				t.Fatalf("%q is in the text", s)
			}
		}
	})
}

func check(t *rapid.T, m Message) {
	t.Helper()
	data, err := json.Marshal(m.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []map[string]any
	if err := json.Unmarshal(data, &blocks); err != nil {
		t.Fatal(err)
	}
	if why := workspace.CheckBlocks(blocks, 50); why != "" {
		t.Fatalf("refused: %s", why)
	}
	if m.Text == "" {
		t.Fatal("a notification would show nothing")
	}
}

func drawCard(t *rapid.T) Card {
	ref := func(name string) event.Ref {
		return event.Ref{Resource: rapid.SampledFrom([]string{"pods", "nodes", ""}).Draw(t, name), Namespace: hostile(t, name+" namespace"), Name: hostile(t, name+" name")}
	}
	texts := func(name string) []string {
		list := make([]string, rapid.IntRange(0, 20).Draw(t, name))
		for i := range list {
			list[i] = hostile(t, name)
		}
		return list
	}
	c := Card{Incident: event.Incident{
		ID: event.HashID("i"), State: event.IncidentState(hostile(t, "state")), Priority: event.Severity(hostile(t, "priority")), Subject: ref("subject"), Rules: texts("rules"),
		Why: texts("why"), Threats: texts("threats"), VerdictBy: hostile(t, "by"), Verdict: rapid.SampledFrom([]string{"", "true", "false"}).Draw(t, "verdict"),
		Timeline: []event.Moment{{What: event.MomentFinding, Text: hostile(t, "moment")}}, Importance: event.Importance(hostile(t, "importance")),
	}}
	for i := range rapid.IntRange(0, 6).Draw(t, "runs") {
		r := event.Run{
			ID: event.HashID("r", string(rune('a'+i))), Playbook: hostile(t, "playbook"), State: rapid.SampledFrom(event.RunStates()).Draw(t, "run"), Target: ref("target"), Reason: hostile(t, "reason"),
			Finding:  event.Finding{ID: "f", Title: hostile(t, "title"), Explanation: hostile(t, "explanation"), Counterfactual: texts("counterfactual"), Features: []event.Feature{{Name: hostile(t, "feature"), Text: hostile(t, "value"), Usual: hostile(t, "usual"), Peers: rapid.Bool().Draw(t, "peers"), Direction: hostile(t, "direction")}}},
			Approval: &event.Approval{State: event.ApprovalOpen, ID: "a", Digest: "d", Steps: []string{"s0", "s1", "s2"}, By: texts("by"), Reasons: texts("reasons"), Votes: []event.Vote{{User: hostile(t, "voter"), Approve: true}}},
		}
		for j := range rapid.IntRange(0, 3).Draw(t, "steps") {
			until := r.Created
			r.Steps = append(r.Steps, event.Step{
				Name: "s" + string(rune('0'+j)), State: event.StepDone, Until: &until, Differs: hostile(t, "differs"), EndAsked: rapid.Bool().Draw(t, "asked"), AtEnd: event.AtEndAsk,
				Receipt: &event.Receipt{Result: event.Result(hostile(t, "result")), Notes: texts("receipt")},
				Plan: &event.Plan{
					Summary: hostile(t, "summary"), Notes: texts("notes"), Reversible: rapid.Bool().Draw(t, "reversible"),
					Writes: []event.Write{{Verb: hostile(t, "verb"), Resource: hostile(t, "resource"), Name: hostile(t, "write"), Body: json.RawMessage(hostile(t, "body"))}},
					Loss:   &event.Loss{Endpoints: texts("endpoints"), Workload: hostile(t, "workload"), Unknown: texts("unknown"), Budgets: []event.Headroom{{Budget: hostile(t, "budget")}}},
				},
			})
		}
		c.Runs = append(c.Runs, r)
	}
	return c
}

// A feature says whose usual it is that it is unlike.
func TestFeatureInWords(t *testing.T) {
	low, high, value := 1.0, 2.0, 9.0
	for want, f := range map[string]event.Feature{
		"agent is curl, new; usual is kubectl":              {Name: "agent", Text: "curl", Direction: "new", Usual: "kubectl"},
		"agent is curl, new; usual of its peers is kubectl": {Name: "agent", Text: "curl", Direction: "new", Usual: "kubectl", Peers: true},
		"rate is 9, above; usual is 1 to 2":                 {Name: "rate", Value: &value, Direction: "above", Low: &low, High: &high},
	} {
		if got := feature(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
