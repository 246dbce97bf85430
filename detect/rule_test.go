package detect

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

const ruleHead = "apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetadata: {name: mine}\nspec:\n"

func ruleSet(t interface{ Helper() }, text string) (*RuleSet, error) {
	t.Helper()
	docs, err := conf.Documents("r.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	return NewRuleSet(docs)
}

func TestRuleProblemsHaveAPlace(t *testing.T) {
	const fine = ruleHead + "  title: T\n  severity: high\n  source: audit\n  when: verb == \"get\"\n"
	for name, c := range map[string]struct{ text, want string }{
		"severity":       {strings.Replace(fine, "high", "hihg", 1), `r.yaml:6:13: severity "hihg" is none of`},
		"source":         {strings.Replace(fine, "audit", "adit", 1), `r.yaml:7:11: source "adit" is none of falco, audit, log`},
		"mail":           {strings.Replace(fine, "audit", "mail", 1), `r.yaml:7:11: source "mail"`},
		"attack":         {fine + "  attack: [T1611, T16]\n", `r.yaml:9:19: "T16" is no ATT&CK technique`},
		"field":          {strings.Replace(fine, "verb", "object.nmae", 1), `r.yaml:8:16: unknown field "nmae", did you mean "name"?`},
		"unless":         {fine + "  unless: actor.usr == 1\n", `r.yaml:9:17: unknown field "usr", did you mean "user"?`},
		"text":           {fine + "  message: \"x ${verb} ${vreb}\"\n", `r.yaml:9:25: unknown name "vreb", did you mean "verb"?`},
		"both at once":   {fine + "  unless: vreb\n  message: \"${nope}\"\n", `r.yaml:9:11: unknown name "vreb"`},
		"not known":      {fine + "  windw: {over: 5m}\n", `r.yaml:9:3: unknown key "windw", did you mean "window"?`},
		"no having":      {fine + "  window: {over: 5m}\n", `required key "having" is missing`},
		"no aggregate":   {fine + "  window: {over: 5m, having: verb == \"get\"}\n", `r.yaml:9:30: asks for no aggregate`},
		"aggregate":      {fine + "  window: {over: 5m, having: \"count(verb, verb) > 1\"}\n", `count(verb, verb): has the wrong number of arguments`},
		"quantile":       {fine + "  window: {over: 5m, having: \"quantile(http.bytes, 2) > 1\"}\n", `a constant from 0 to 1`},
		"not in order":   {strings.Replace(fine, `verb == "get"`, `severity >= "high"`, 1), `r.yaml:8:21: >= would go by the alphabet here; say which, as in severity in ["high", "critical"]`},
		"no outcome":     {strings.Replace(fine, `verb == "get"`, `outcome == "alllowed"`, 1), `r.yaml:8:20: outcome is never "alllowed": it is one of allowed, denied, success, failure, did you mean "allowed"?`},
		"no class":       {strings.Replace(fine, `verb == "get"`, `class in ["k8s.api", "k8s"]`, 1), `r.yaml:8:30: class is never "k8s": it is one of process.exec`},
		"misplaced":      {strings.Replace(fine, `verb == "get"`, `count() > 5`, 1), `count() over many events belongs in window.having`},
		"a comment":      {strings.Replace(fine, `verb == "get"`, `any(fields.a, #.b == 1)`, 1) + "  unless: any(tags, #  == \"x\")\n", `# behind a space begins a comment in YAML`},
		"over":           {fine + "  window: {over: 1ms, having: count() > 1}\n", `1ms is not from 1s to`},
		"type":           {fine + "  window: {over: 5m, type: slide, having: count() > 1}\n", `type "slide" is none of sliding, tumbling`},
		"window's field": {fine + "  window: {by: [actor.usr], over: 5m, having: count() > 1}\n", `unknown field "usr"`},
		"message":        {fine + "  message: \"${count()}\"\n", `count`},
		"one step":       {fine + "  sequence: {by: [verb], within: 5m, steps: [{when: \"true\"}]}\n", `a sequence has 2 to 8 steps, not 1`},
		"not first":      {fine + "  sequence: {by: [verb], within: 5m, steps: [{when: \"true\", not: true}, {when: \"true\"}]}\n", `only the last step may`},
		"step's by":      {fine + "  sequence: {by: [verb], within: 5m, steps: [{when: \"true\", by: [verb, rule]}, {when: \"true\"}]}\n", `has 2 values, and the sequence's by 1`},
		"both forms":     {fine + "  window: {over: 5m, having: count() > 1}\n  sequence: {by: [verb], within: 5m, steps: [{when: \"true\"}, {when: \"true\"}]}\n", `window and sequence exclude each other`},
		"two sources":    {fine + "  sources: [falco]\n", `source and sources exclude each other`},
		"no source":      {strings.Replace(fine, "  source", "  # source", 1), `required key "source" is missing`},
		"class":          {fine + "  class: k8s.ap\n", `class "k8s.ap" is none of`},
		"mode":           {fine + "  mode: kill\n", `mode "kill" is none of observe, ask, act`},
		"threat":         {strings.Replace(fine, "{name: mine}", "{name: mine, labels: {threat: leak}}", 1), `threat "leak" is none of container-escape`},
		"first seen":     {strings.Replace(fine, `verb == "get"`, `first_seen("14m", verb, verb)`, 1), `the first argument is a constant time of an hour to 90 days`},
		"first seen of":  {strings.Replace(fine, `verb == "get"`, `first_seen("14d", verb)`, 1), `takes a time, a key and up to 4 values`},
		"no when":        {strings.Replace(fine, "  when", "  # when", 1), `required key "when" is missing`},
		"wrong result":   {strings.Replace(fine, `verb == "get"`, "verb", 1), `r.yaml:8:9: expected true or false, but got text`},
		"unknown kind":   {strings.Replace(fine, "kind: Rule", "kind: Rul", 1), `r.yaml:2:7: unknown kind "Rul", did you mean "Rule"?`},
		"name twice":     {fine + "---\n" + fine, `r.yaml:12:18: "mine" is the name of the Rule at r.yaml:1 too`},
		"enabled":        {fine + "  enabled: maybe\n", `expected true or false`},
		"unsafe pattern": {strings.Replace(fine, `verb == "get"`, `verb matches actor.user`, 1), `r.yaml:8:28: the pattern of matches has to be a constant`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ruleSet(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestLoadRulesCollectsAllProblems(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml":        ruleHead + "  title: T\n",
		"b.yml":         "kind: x\n",
		"c_test.yaml":   "not: read\n",
		".hidden.yaml":  "not: read\n",
		"d.txt":         "not read",
		"p.yaml":        "apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: p}\nspec: {any: thing}\n",
		"z-broken.yaml": "a: [",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := LoadRules(dir, filepath.Join(dir, "none.yaml"))
	if err == nil {
		t.Fatal("no error")
	}
	files := map[string]bool{}
	for _, p := range conf.Problems(err) {
		files[filepath.Base(p.File)] = true
	}
	for _, want := range []string{"a.yaml", "b.yml", "z-broken.yaml", "none.yaml"} {
		if !files[want] {
			t.Errorf("no problem of %s in %v", want, err)
		}
	}
	if len(files) != 4 {
		t.Errorf("problems of %v", files)
	}
}

func TestAUsersRuleReplacesTheShippedOne(t *testing.T) {
	base := shipped(t)
	mine, err := ruleSet(t, strings.Replace(ruleHead, "mine", "pod-exec", 1)+
		"  title: Mine\n  severity: low\n  source: audit\n  when: verb == \"x\"\n")
	if err != nil {
		t.Fatal(err)
	}
	both, err := mine.Over(base)
	if err != nil {
		t.Fatal(err)
	}
	if len(both.Detectors()) != len(base.Detectors()) || both.Lookup("pod-exec").(*Rule).Spec.Title != "Mine" {
		t.Errorf("%d detectors", len(both.Detectors()))
	}
	if both.Version() == base.Version() {
		t.Error("another set has the same version")
	}
}

func execEvent(id, stage string) event.Event {
	return event.Event{
		ID: id, Source: event.SourceAudit, Class: event.ClassAPIExec, Verb: "create", Outcome: event.OutcomeAllowed,
		Time: time.Unix(1, 2000).UTC(), Trust: event.TrustAudit, Actor: event.Actor{User: "mallory"},
		Object: event.Ref{Resource: "pods", Subresource: "exec", Namespace: "shop", Name: "cart"},
		Fields: event.Fields{"stage": stage, "code": int64(101), "audit_id": "a", "uri": "/x"},
	}
}

func TestStagesOfOneRequestAreOneFinding(t *testing.T) {
	set := shipped(t)
	engine := NewEngine(set, EngineOptions{})
	began, ended := execEvent("1", "ResponseStarted"), execEvent("2", "ResponseComplete")
	first, _, err := engine.Fold(&began, event.Address{ID: "1"})
	if err != nil || len(first) != 1 {
		t.Fatalf("%v, %v", first, err)
	}
	if second, _, _ := engine.Fold(&ended, event.Address{ID: "2"}); len(second) != 0 {
		t.Errorf("found again: %v", second)
	}
	// Without memory it comes again under the same id, which the stream refuses.
	again, _, _ := NewEngine(set, EngineOptions{}).Fold(&ended, event.Address{ID: "2"})
	if len(again) != 1 || again[0].ID != first[0].ID {
		t.Errorf("ids differ: %v", again)
	}
	// The audit id is the client's choice: another request under it counts.
	other := execEvent("3", "ResponseStarted")
	other.Time = other.Time.Add(time.Microsecond)
	if found, _, _ := engine.Fold(&other, event.Address{ID: "3"}); len(found) != 1 {
		t.Error("a request was hidden behind the audit id of another")
	}
}

func TestEngineDropsWhatItHasSeenWithinItsHorizon(t *testing.T) {
	engine := NewEngine(shipped(t), EngineOptions{Horizon: 2})
	var fresh []bool
	for i, id := range []string{"a", "a", "b", "c", "a", ""} {
		e := shell(id)
		_, ok, err := engine.Fold(&e, event.Address{Sequence: uint64(i + 1)})
		if err != nil {
			t.Fatal(err)
		}
		fresh = append(fresh, ok)
	}
	for i, want := range []bool{true, false, true, true, true, true} {
		if fresh[i] != want {
			t.Errorf("fresh are %v", fresh)
			break
		}
	}
	if engine.Oldest() != 4 {
		t.Errorf("oldest is %d", engine.Oldest())
	}
}

func TestEnginePassesOverItsOwn(t *testing.T) {
	engine := NewEngine(shipped(t), EngineOptions{Own: []string{"mallory"}})
	e := execEvent("1", "ResponseStarted")
	if found, fresh, err := engine.Fold(&e, event.Address{}); len(found) != 0 || !fresh || err != nil {
		t.Errorf("%v, %v, %v", found, fresh, err)
	}
}

// BenchmarkFold folds audit events against the shipped rules.
func BenchmarkFold(b *testing.B) {
	exec := execEvent("", "ResponseStarted")
	get := execEvent("", "ResponseComplete")
	get.Verb, get.Object.Subresource, get.Object.Resource = "get", "", "configmaps"
	pod := execEvent("", "ResponseComplete")
	pod.Object.Subresource = ""
	pod.Fields["request"] = map[string]any{"spec": map[string]any{
		"containers": []any{map[string]any{"name": "a", "securityContext": map[string]any{"privileged": false}}, map[string]any{"name": "b"}},
		"volumes":    []any{map[string]any{"emptyDir": map[string]any{}}, map[string]any{"hostPath": map[string]any{"path": "/data"}}},
	}}
	line := event.Event{Source: event.SourceLog, Class: event.ClassHTTP, Message: `198.51.100.7 - - "GET /items?id=1&order=asc HTTP/1.1" 200 512 "-" "curl/8"`,
		HTTP: event.HTTP{Method: "GET", Path: "/items?id=1&order=asc", Status: 200}}
	alert := shell("")
	for name, e := range map[string]event.Event{"get": get, "exec": exec, "pod": pod, "falco": alert, "log": line} {
		b.Run(name, func(b *testing.B) {
			engine := NewEngine(shipped(b), EngineOptions{})
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := engine.Fold(&e, event.Address{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
