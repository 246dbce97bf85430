package cases

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/internal/conf"
)

const rulesText = `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: shell}
spec:
  title: A shell
  severity: high
  source: falco
  when: rule == "Terminal shell in container" or rule == "Other shell"
  unless: object.namespace == "tools"
  message: shell in ${object.name}
  suppress: {by: [object.name], for: 1h}
---
apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: left-open}
spec:
  title: Nothing closed it
  severity: low
  source: audit
  sequence:
    by: [object.name]
    within: 10m
    steps: [{name: open, when: verb == "open"}, {name: close, not: true, when: verb == "close"}]
---
apiVersion: firebreak.io/v1alpha1
kind: Exception
metadata: {name: known}
spec: {rule: shell, when: 'object.name == "known"', reason: it is}
---
apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: hold}
spec:
  when: finding.rule == "shell"
  mode: ask
  steps: [{name: isolate, action: pod.quarantine}]
`

// runner has the rules of a directory with some files.
func runner(t testing.TB, more map[string]string) (*Runner, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range more {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "r.yaml"), []byte(rulesText), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := files.Rules([]string{dir}, false)
	if err != nil {
		t.Fatal(err)
	}
	books, err := files.Playbooks([]string{dir}, false)
	if err != nil {
		t.Fatal(err)
	}
	return &Runner{Rules: set, Playbooks: books, Reach: NewReach()}, dir
}

const alertLine = `{"rule":"Terminal shell in container","priority":"Notice","time":"2026-03-01T10:00:05Z","output":"x","output_fields":{"k8s.ns.name":"shop","k8s.pod.name":"web"}}`

// Each case says what the runner has to say of it; nothing is a case that passes.
func TestCases(t *testing.T) {
	r, dir := runner(t, map[string]string{"alerts.jsonl": alertLine + "\n"})
	const event = `event: {source: falco, rule: Terminal shell in container, object: {resource: pods, namespace: shop, name: web}}`
	for text, want := range map[string]string{
		event + "\nfind: [shell]": "",
		event:                     "not expected: shell at 0s, high, about pods/shop/web: shell in web",
		event + "\nfind: [{rule: shell, at: 0s, severity: high, subject: pods/shop/web, message: in web, count: 1, again: 1}]": "",
		event + "\nfind: [{rule: shell, at: 5s}]":                                                                    "not found: shell at 5s\nnot expected: shell at 0s",
		event + "\nfind: [{rule: shell, count: 2}]":                                                                  "found 1 times, want 2: shell",
		event + "\nfind: [shell]\nat: 2026-05-05T05:05:05Z":                                                          "",
		event + "\nfind: [shell]\nrepeat: {times: 3}":                                                                "",
		event + "\nfind: [{rule: shell, again: 3}]\nrepeat: {times: 3, every: 1s}":                                   "",
		event + "\nfind: [{rule: shell, again: 2}]\nrepeat: {times: 3, every: 1s}":                                   "not found: shell that comes 2 times",
		event + "\nfind: [shell]\nruns: [hold]":                                                                      "",
		event + "\nfind: [shell]\nruns: [{playbook: hold, mode: ask, target: pods/shop/web, steps: {isolate: ask}}]": "",
		event + "\nfind: [shell]\nruns: [{playbook: hold, mode: act, steps: {isolate: pass, gone: pass}}]":           "playbook hold has no step gone; runs in mode ask, want act; step isolate: ask, want pass (mode: ask)",
		event + "\nfind: [shell]\nruns: []":                                                                          "not expected: playbook hold runs in mode ask on pods/shop/web",
		"events: [{falco: " + alertLine + "}]\nfind: [{rule: shell, subject: pods/shop/web}]":                        "",
		"files: [{source: falco, path: alerts.jsonl}]\nat: 2026-03-01T10:00:00Z\nfind: [{rule: shell, at: 5s}]":      "",
		"events: [{verb: open, object: {name: a}}, {verb: open, object: {name: b}}, {verb: close, at: 9m, object: {name: b}}]\nfind: [{rule: left-open, count: 1, at: 12m}]": "",
		"event: {verb: close}\nruns: [hold]": "does not run: playbook hold",
		"findings: [{rule: shell, subject: {resource: pods, namespace: shop, name: x}}]\nruns: [{playbook: hold, target: pods/shop/x}]": "",
	} {
		f, err := Decode(filepath.Join(dir, "r_test.yaml"), []byte("cases:\n- name: one\n  "+strings.ReplaceAll(text, "\n", "\n  ")+"\n"))
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		result, err := r.Run(t.Context(), f.Cases[0])
		got := strings.Join(result.Problems, "\n")
		if err != nil || (want == "") != (got == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s\n got %q, %v\nwant %q", text, got, err, want)
		}
	}
}

// What is wrong with a case has a place.
func TestMistakes(t *testing.T) {
	r, dir := runner(t, map[string]string{"broken.jsonl": "no JSON\n"})
	for text, want := range map[string]string{
		"event: {verb: get}\nfind: [shel]":                    `4:10: there is no rule "shel", did you mean "shell"?`,
		"event: {verb: get}\nnot: [shel]":                     `not: there is no rule "shel"`,
		"event: {verb: get}\nruns: [hald]":                    `4:10: there is no playbook "hald", did you mean "hold"?`,
		"event: {vreb: get}":                                  `3:10: event: json: unknown field "vreb"`,
		"event: {verb: 1}":                                    `3:10: event: json: cannot unmarshal number`,
		"event: {verb: get, at: soon}":                        `event: at: duration "soon"`,
		"event: {falco: {}, verb: get}":                       `falco stands for the whole event`,
		"event: {falco: nothing}":                             `event: `,
		"find: [shell]":                                       `has no event`,
		"evnt: {verb: get}":                                   `unknown key "evnt", did you mean "event"?`,
		"event: {verb: get}\nrepeat: {times: 1000000000}":     `repeat.times is 0 to`,
		"event: {verb: get}\nfind: [{rule: shell, sev: low}]": `unknown key "sev"`,
		"event: {verb: get}\nat: today":                       `"today" is no time`,
		"files: [{source: falco, path: broken.jsonl}]":        `broken.jsonl:1: not JSON`,
		"files: [{source: falco, path: gone.jsonl}]":          `no such file`,
		"files: [{source: mail, path: gone.jsonl}]":           `source "mail" is none of audit, falco, log`,
		"findings: [{rul: shell}]":                            `finding: json: unknown field "rul"`,
	} {
		f, err := Decode(filepath.Join(dir, "r_test.yaml"), []byte("cases:\n- name: one\n  "+strings.ReplaceAll(text, "\n", "\n  ")+"\n"))
		if err == nil {
			_, err = r.Run(t.Context(), f.Cases[0])
		}
		if err == nil || !strings.Contains(err.Error(), want) || conf.Problems(err)[0].Line == 0 {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
	if _, err := Decode("t_test.yaml", []byte("cases:\n- {name: a, event: {verb: x}}\n- {name: a, event: {verb: x}}\n")); err == nil {
		t.Error("two cases of one name were taken")
	}
}

func TestReach(t *testing.T) {
	r, dir := runner(t, nil)
	unreached := func(text string) []string {
		f, err := Decode(filepath.Join(dir, "r_test.yaml"), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.Cases {
			if result, err := r.Run(t.Context(), c); err != nil || len(result.Problems) > 0 {
				t.Fatal(result.Problems, err)
			}
		}
		var out []string
		for _, b := range r.Reach.Branches(r.Rules, nil) {
			if !b.Reached {
				out = append(out, fmt.Sprintf("%s %s %d", b.Rule, b.Kind, b.Line))
			}
		}
		return out
	}
	got := unreached(`cases:
- {name: one, find: [shell], event: {source: falco, rule: Other shell, object: {name: web}}}
- {name: open, event: {verb: close, object: {name: web}}}
`)
	want := []string{"shell alternative 8", "shell unless 9", "left-open rule 13", "left-open step 23", "shell exception 28"}
	if !slices.Equal(got, want) {
		t.Errorf("not reached\n got %q\nwant %q", got, want)
	}
	got = unreached(`cases:
- {name: two, event: {source: falco, rule: Terminal shell in container, object: {namespace: tools, name: web}}}
- {name: known, event: {source: falco, rule: Other shell, object: {name: known}}}
- {name: left open, find: [left-open], event: {verb: open, object: {name: web}}}
`)
	if len(got) > 0 {
		t.Errorf("not reached: %q", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{"cases: []", "cases:\n- {name: a, event: {verb: x}, find: [b]}", "cases:\n- {name: a, event: {falco: {rule: x}}, repeat: {times: 2}}", "cases: [1]", "x: 1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		file, err := Decode("f_test.yaml", data)
		if err != nil {
			return
		}
		for _, c := range file.Cases {
			if c.Repeat.Times < 10 && len(c.Files) == 0 {
				_, _ = c.events()
				_, _ = c.found()
			}
		}
	})
}

const trafficRules = `apiVersion: firebreak.io/v1alpha1
kind: Model
metadata: {name: slow}
spec:
  title: Slow
  severity: low
  source: log
  entity: [object.name]
  features: {duration: http.duration, path: surprisal(http.path)}
  warm_up: {events: 300, for: 1m}
  budget: {threshold: anomaly.score > 0.75}
`

// What is made up is the same each time, varies as it says, and is learned from
// before anything matters.
func TestTraffic(t *testing.T) {
	const text = `
traffic:
  usual:
    event: {source: log, class: http.request, object: {name: web}}
    every: 1s
    for: 15m
    draw: {http.duration: 1 + 0.1 * z, http.path: '"/" + string(int(u * 4))', fields.a.b: n}
cases:
  - name: as usual
    learn: 10m
    traffic: [{like: usual, for: 12m}]
  - name: slow
    learn: 15m
    traffic: [{like: usual}, {like: usual, from: 15m, for: 10s, draw: {http.duration: 90 + u}}]
    find: [{rule: slow, entity: web, features: [duration], message: duration 9}]
  - name: named is something else
    learn: 15m
    traffic: [{like: usual}, {like: usual, from: 15m, for: 5s, draw: {http.duration: 90 + u}}]
    find: [{rule: slow, entity: db}]
`
	r, _ := runner(t, map[string]string{"model.yaml": trafficRules})
	all, err := Decode("a_test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "", "not found: slow of db"} {
		result, err := r.Run(t.Context(), all.Cases[i])
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(result.Problems, "; "); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("case %d: %s, want %q", i, got, want)
		}
	}
	one, err := all.Cases[0].events()
	again, _ := all.Cases[0].events()
	if err != nil || len(one) < 600 || len(one) > 850 || len(one) != len(again) || one[7].HTTP != again[7].HTTP || one[7].HTTP == one[8].HTTP || one[7].Fields["a.b"] != int64(7) {
		t.Errorf("%d events, then %d: %+v, %v", len(one), len(again), one[7], err)
	}
	for draw, want := range map[string]string{
		"traffic: [{like: nope}]": `none named "nope"`, "traffic: [{every: 1s, for: 1h}]": "has no event",
		"traffic: [{like: usual, every: 1ms, for: 9h}]": "no more than", "traffic: [{like: usual, draw: {http: nope}}]": "nope",
		"learn: -1s\n    event: {}": "learn",
	} {
		f, err := Decode("a_test.yaml", []byte(strings.SplitN(text, "cases:", 2)[0]+"cases:\n  - name: a\n    "+draw+"\n"))
		if err == nil {
			_, err = f.Cases[0].events()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", draw, err, want)
		}
	}
}
