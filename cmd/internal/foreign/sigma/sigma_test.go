package sigma

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func load(t *testing.T, docs []foreign.Document) *detect.RuleSet {
	t.Helper()
	var b strings.Builder
	for _, d := range docs {
		b.WriteString(d.YAML() + "---\n")
	}
	read, err := conf.Documents("imported.yaml", []byte(b.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	set, err := detect.NewRuleSet(read)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	return set
}

func found(t *testing.T, set *detect.RuleSet, e event.Event) []string {
	t.Helper()
	findings, _, err := detect.NewEngine(set, detect.EngineOptions{}).Fold(&e, event.Address{})
	if err != nil {
		t.Error(err)
	}
	var names []string
	for _, f := range findings {
		names = append(names, f.Rule)
	}
	return names
}

func pod(volume string, capabilities ...any) event.Fields {
	return event.Fields{"code": int64(201), "request": map[string]any{"kind": "Pod", "spec": map[string]any{
		"volumes":    []any{map[string]any{"hostPath": map[string]any{"path": volume}}},
		"containers": []any{map[string]any{"image": "x", "securityContext": map[string]any{"capabilities": map[string]any{"add": capabilities}}}},
	}}}
}

// TestSamples imports the files of testdata, loads what is made of them, and
// holds it against events of which the rules say what they are.
func TestSamples(t *testing.T) {
	data, err := os.ReadFile("testdata/audit.yml")
	if err != nil {
		t.Fatal(err)
	}
	result := Import([]foreign.File{{Name: "testdata/audit.yml", Data: data}})
	for _, p := range result.Problems {
		t.Error(p)
	}
	set := load(t, result.Documents)
	ann := event.Actor{User: "ann", Groups: []string{"dev"}, Address: "198.51.100.7", UserAgent: "kubectl/v1.30"}
	for name, c := range map[string]struct {
		event event.Event
		want  []string
	}{
		"exec": {event.Event{Verb: "create", Actor: ann, Object: event.Ref{Resource: "pods", Subresource: "EXEC", Namespace: "shop"}}, []string{"sigma-shell-in-a-pod"}},
		"exec by the system": {event.Event{
			Verb: "create", Actor: event.Actor{User: "system:serviceaccount:kube-system:x"}, Object: event.Ref{Resource: "pods", Subresource: "exec"},
		}, nil},
		"host path":     {event.Event{Verb: "create", Actor: ann, Object: event.Ref{Resource: "pods"}, Fields: pod("/etc/kubernetes/pki")}, []string{"sigma-host-files-in-a-pod"}},
		"harmless path": {event.Event{Verb: "create", Actor: ann, Object: event.Ref{Resource: "pods"}, Fields: pod("/srv/data")}, nil},
		"capability":    {event.Event{Verb: "create", Actor: ann, Object: event.Ref{Resource: "pods"}, Fields: pod("/srv", "NET_BIND", "sys_admin")}, []string{"sigma-powers-of-a-container"}},
		"refusals":      {event.Event{Verb: "list", Actor: ann, Fields: event.Fields{"code": int64(403), "reason": "Forbidden"}}, []string{"sigma-refused"}},
		"no refusal":    {event.Event{Verb: "list", Actor: ann, Fields: event.Fields{"code": int64(200)}}, nil},
		"network":       {event.Event{Verb: "delete", Actor: event.Actor{User: "eve"}, Fields: event.Fields{"source_ips": []any{"192.0.2.1", "10.3.0.1"}}}, []string{"sigma-modifiers"}},
		"outside it":    {event.Event{Verb: "delete", Actor: event.Actor{User: "eve", Address: "10.4.0.1"}}, nil},
		"pattern":       {event.Event{Verb: "get", Actor: ann, Fields: event.Fields{"uri": "/api/v1/secrets?limit=500"}}, []string{"sigma-modifiers"}},
		"base64":        {event.Event{Verb: "patch", Actor: ann, Fields: event.Fields{"request": map[string]any{"data": map[string]any{"x": "AGN1cmwgaHR0cA=="}}}}, []string{"sigma-modifiers"}},
		"wildcard":      {event.Event{Verb: "patch", Actor: event.Actor{User: "robot-7-x"}, Object: event.Ref{Name: "robot-7-x"}}, []string{"sigma-modifiers"}},
		"group":         {event.Event{Verb: "get", Actor: event.Actor{User: "bob", Groups: []string{"a", "System:Masters"}}}, []string{"sigma-masters"}},
		"dash":          {event.Event{Source: event.SourceFalco, Class: "process.exec", Actor: event.Actor{Process: "nc /e sh"}}, []string{"sigma-listener"}},
		"web":           {event.Event{Source: event.SourceLog, Class: "http.request", HTTP: event.HTTP{Path: "/a?q=UNION%20SELECT", Status: 200}}, []string{"sigma-injection"}},
		"not web":       {event.Event{Source: event.SourceLog, Class: "log.line", HTTP: event.HTTP{Path: "/a?q=UNION%20SELECT", Status: 200}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.event.Source == "" {
				c.event.Source = event.SourceAudit
			}
			if got := found(t, set, c.event); !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
		})
	}
}

const head = "title: T\nlogsource: {product: kubernetes, service: audit}\n"

func TestProblemsHaveAPlace(t *testing.T) {
	for text, want := range map[string]string{
		head + "detection:\n  a: {verb: get}\n  condition: b":                  `f.yml:5:14: unknown search identifier "b", did you mean "a"?`,
		head + "detection:\n  a: {vreb: get}\n  condition: a":                  `f.yml:4:7: no field of audit events is "vreb"`,
		head + "detection:\n  a: {verb|expand: '%x%'}\n  condition: a":         `f.yml:4:7: modifier "expand" can't be said`,
		head + "detection:\n  a: {verb|re: '(?=a)'}\n  condition: a":           `f.yml:4:16: pattern can't be said in RE2`,
		head + "detection:\n  a: [word]\n  condition: a":                       `f.yml:4:7: words that may be anywhere`,
		head + "detection:\n  a: {verb: get}\n  condition: a | count() > 5":    `aggregations after | are of an older Sigma`,
		head + "detection:\n  a: {verb: get}\n  condition: (a":                 `( is not closed by )`,
		head + "detection:\n  a: {verb: get}\n  condition: 1 of b*":            `no search identifier is like "b*"`,
		head + "detection:\n  a: {verb: get}":                                  `detection has no condition`,
		"title: T\nlogsource: {product: windows}\ndetection: {}":               `f.yml:2:12: no events of Firebreak are those of product "windows"`,
		"title: T\ncorrelation: {type: event_count, rules: [x], timespan: 5m}": `f.yml:2:42: there is no rule "x"`,
		"title: T":    `f.yml:1:1: neither detection nor correlation`,
		"title: [T\n": `f.yml:1:`,
	} {
		result := Import([]foreign.File{{Name: "f.yml", Data: []byte(text)}})
		if len(result.Problems) == 0 || !strings.Contains(result.Problems[0].Error(), want) || len(result.Documents) > 0 {
			t.Errorf("%s\ngives %v, want %s", text, result.Problems, want)
		}
	}
}

func TestCorrelations(t *testing.T) {
	data, err := os.ReadFile("testdata/correlation.yml")
	if err != nil {
		t.Fatal(err)
	}
	result := Import([]foreign.File{{Name: "testdata/correlation.yml", Data: data}})
	for _, p := range result.Problems {
		t.Error(p)
	}
	if loaded := foreign.Loading(result); len(loaded.Problems) > 0 {
		t.Error(loaded.Problems)
	}
	correlated(t, load(t, result.Documents))
	want := map[string][]string{
		"sigma-many-refusals":   {"window:\n    by:\n      - actor.user\n    over: \"5m\"\n    having: \"count() >= 20\"", "suppress:"},
		"sigma-many-namespaces": {"having: \"distinct(object.namespace) > 3\"", "over: \"1h\""},
		"sigma-refused-then-in": {"order: strict", "within: \"10m\"", "- name: sigma-refused-request", "- name: sigma-exec-into-pod"},
		"sigma-refused-and-in":  {"order: any"},
		"sigma-exec-into-pod":   {"when: |-"},
	}
	for _, d := range result.Documents {
		for _, part := range want[d.Name] {
			if !strings.Contains(d.YAML(), part) {
				t.Errorf("%s lacks %s:\n%s", d.Name, part, d.YAML())
			}
		}
		if want[d.Name] == nil {
			t.Errorf("%s was not wanted", d.Name)
		}
		delete(want, d.Name)
	}
	if len(want) > 0 {
		t.Errorf("%v are missing", want)
	}
}

// correlated holds the imported correlations against a stream of events.
func correlated(t *testing.T, set *detect.RuleSet) {
	t.Helper()
	engine := detect.NewEngine(set, detect.EngineOptions{})
	got := map[string]int{}
	fold := func(at int, e event.Event) {
		e.ID, e.Source, e.Time = fmt.Sprint(at, e.Actor.User), event.SourceAudit, time.Unix(1e9+int64(at), 0).UTC()
		e.Received = e.Time
		findings, _, err := engine.Fold(&e, event.Address{Sequence: uint64(at)})
		if err != nil {
			t.Error(err)
		}
		for _, f := range findings {
			got[f.Rule]++
		}
	}
	for i := range 21 {
		fold(i, event.Event{Verb: "get", Actor: event.Actor{User: "eve"}, Object: event.Ref{Namespace: fmt.Sprint("n", i%4)}, Fields: event.Fields{"code": int64(403)}})
	}
	fold(30, event.Event{Verb: "create", Actor: event.Actor{User: "ann"}, Object: event.Ref{Resource: "pods", Subresource: "exec"}})
	if got["sigma-many-refusals"] != 1 || got["sigma-many-namespaces"] != 1 || got["sigma-refused-then-in"] > 0 || got["sigma-exec-into-pod"] != 1 {
		t.Errorf("found %v", got)
	}
	fold(31, event.Event{Verb: "create", Actor: event.Actor{User: "eve"}, Object: event.Ref{Resource: "pods", Subresource: "exec"}})
	if got["sigma-refused-then-in"] != 1 || got["sigma-refused-and-in"] != 1 {
		t.Errorf("found %v", got)
	}
}

func FuzzImport(f *testing.F) {
	for _, name := range []string{"testdata/audit.yml", "testdata/correlation.yml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range strings.Split(string(data), "---\n") {
			f.Add(part)
		}
	}
	f.Add(head + "detection:\n  a:\n    verb|base64offset|contains: ['\\*x*', \"\\\\?\"]\n    name|windash|all: [' -a', null, 1.5, '']\n  condition: not (1 of a* and all of them)")
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range Import([]foreign.File{{Name: "f.yml", Data: []byte(text)}}).Documents {
			docs, err := conf.Documents("imported.yaml", []byte(d.YAML()))
			if err != nil || len(docs) != 1 {
				t.Fatalf("%v\n%s", err, d.YAML())
			}
		}
	})
}
