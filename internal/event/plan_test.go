package event

import (
	"encoding/json"
	"testing"
)

func quarantine() Plan {
	return Plan{
		Action: "pod.quarantine", Target: Ref{Resource: "pods", Namespace: "shop", Name: "web", UID: "u1"}, Summary: "isolate web",
		Writes: []Write{{
			Verb: "patch", Version: "v1", Resource: "pods", Namespace: "shop", Name: "web", UID: "u1", ResourceVersion: "7",
			Body: json.RawMessage(`{"metadata":{"uid":"u1","resourceVersion":"7","labels":{"app":null,"firebreak.io/hold":"r"},` +
				`"annotations":{"firebreak.io/until":"2026-01-01T00:00:00Z","note":"x"}},"big":9007199254740993}`),
		}},
	}
}

func digest(t *testing.T, p Plan) string {
	t.Helper()
	d, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if len(d) != 64 {
		t.Fatalf("digest %q", d)
	}
	return d
}

func TestDigestStaysTheSame(t *testing.T) {
	want := digest(t, quarantine())
	for name, change := range map[string]func(*Plan){
		"nothing":          func(*Plan) {},
		"summary":          func(p *Plan) { p.Summary = "other words" },
		"notes":            func(p *Plan) { p.Notes = []string{"a note"} },
		"pre-image":        func(p *Plan) { p.Before = json.RawMessage(`{"a":1}`) },
		"resource version": func(p *Plan) { p.Writes[0].ResourceVersion = "8" },
		"times and version in the body": func(p *Plan) {
			p.Writes[0].Body = json.RawMessage(`{"big":9007199254740993,"metadata":{"annotations":{"note":"x","firebreak.io/until":"2027"},` +
				`"labels":{"firebreak.io/hold":"r","app":null},"resourceVersion":"99","uid":"u1"}}`)
		},
	} {
		p := quarantine()
		change(&p)
		if got := digest(t, p); got != want {
			t.Errorf("%s changed the digest", name)
		}
	}
}

func TestDigestChanges(t *testing.T) {
	seen := map[string]string{digest(t, quarantine()): "the plan itself"}
	body := func(text string) func(*Plan) {
		return func(p *Plan) { p.Writes[0].Body = json.RawMessage(text) }
	}
	for name, change := range map[string]func(*Plan){
		"action":       func(p *Plan) { p.Action = "pod.delete" },
		"target":       func(p *Plan) { p.Target.Name = "api" },
		"target UID":   func(p *Plan) { p.Target.UID = "u2" },
		"verb":         func(p *Plan) { p.Writes[0].Verb = "delete" },
		"namespace":    func(p *Plan) { p.Writes[0].Namespace = "prod" },
		"name":         func(p *Plan) { p.Writes[0].Name = "api" },
		"UID":          func(p *Plan) { p.Writes[0].UID = "u2" },
		"no write":     func(p *Plan) { p.Writes = nil },
		"second write": func(p *Plan) { p.Writes = append(p.Writes, p.Writes[0]) },
		"no body":      func(p *Plan) { p.Writes[0].Body = nil },
		"label":        body(`{"metadata":{"labels":{"app":"x"}}}`),
		"annotation":   body(`{"metadata":{"annotations":{"note":"y"}}}`),
		"spec":         body(`{"spec":{"unschedulable":true}}`),
	} {
		p := quarantine()
		change(&p)
		d := digest(t, p)
		if twin, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", name, twin)
		}
		seen[d] = name
	}
}

// TestDigestOfLargeNumbers: two bodies that differ beyond 2^53 are two deeds.
func TestDigestOfLargeNumbers(t *testing.T) {
	a, b := quarantine(), quarantine()
	a.Writes[0].Body = json.RawMessage(`{"spec":{"n":9007199254740992}}`)
	b.Writes[0].Body = json.RawMessage(`{"spec":{"n":9007199254740993}}`)
	if digest(t, a) == digest(t, b) {
		t.Error("one digest for two numbers")
	}
}

func TestDigestRefusesWhatIsNoObject(t *testing.T) {
	for _, body := range []string{`{`, `[]`, `1`, `{} {}`} {
		p := quarantine()
		p.Writes[0].Body = json.RawMessage(body)
		if _, err := p.Digest(); err == nil {
			t.Errorf("body %s was taken", body)
		}
	}
}
