package falco

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func sample(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSamples imports the file of testdata, loads what is made of it, and holds
// it against events of which the rules say what they are.
func TestSamples(t *testing.T) {
	result := Import([]foreign.File{{Name: "testdata/rules.yaml", Data: sample(t)}})
	for _, p := range result.Problems {
		t.Error(p)
	}
	var b strings.Builder
	kinds := map[string]int{}
	for _, d := range result.Documents {
		b.WriteString(d.YAML() + "---\n")
		kinds[d.Kind]++
	}
	if kinds["List"] != 1 || kinds["Macro"] != 5 || kinds["Rule"] != 6 || result.Read != 6 {
		t.Errorf("made %v of %d rules", kinds, result.Read)
	}
	docs, err := conf.Documents("imported.yaml", []byte(b.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	set, err := detect.NewRuleSet(docs)
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	pod := func(spec map[string]any) event.Fields {
		return event.Fields{"stage": "ResponseComplete", "code": int64(201), "request": map[string]any{"spec": spec}}
	}
	containers := func(privileged bool, images ...string) map[string]any {
		var all []any
		for _, image := range images {
			all = append(all, map[string]any{"image": image, "securityContext": map[string]any{"privileged": privileged}})
		}
		return map[string]any{"containers": all}
	}
	friend := event.Actor{User: "admin"}
	pods := event.Ref{Resource: "pods", Namespace: "shop", Name: "cart"}
	for name, c := range map[string]struct {
		event event.Event
		want  []string
	}{
		"stranger":         {event.Event{Verb: "get", Actor: event.Actor{User: "mallory"}, Object: pods, Fields: event.Fields{"stage": "ResponseComplete", "code": int64(200)}}, []string{"falco-unknown-person"}},
		"another stage":    {event.Event{Verb: "get", Actor: event.Actor{User: "mallory"}, Fields: event.Fields{"stage": "RequestReceived"}}, nil},
		"refused":          {event.Event{Verb: "get", Actor: event.Actor{User: "mallory"}, Fields: event.Fields{"stage": "ResponseComplete", "annotations": map[string]any{"authorization.k8s.io/decision": "reject"}}}, nil},
		"list in a list":   {event.Event{Verb: "get", Actor: event.Actor{User: "system:serviceaccount:kube-system:vpa"}, Fields: event.Fields{"stage": "ResponseComplete"}}, nil},
		"added to a list":  {event.Event{Verb: "get", Actor: event.Actor{User: "eve"}, Fields: event.Fields{"stage": "ResponseComplete"}}, nil},
		"added to a macro": {event.Event{Verb: "get", Actor: event.Actor{User: "x", Groups: []string{"friends"}}, Fields: event.Fields{"stage": "ResponseComplete"}}, nil},
		"privileged":       {event.Event{Verb: "create", Actor: friend, Object: pods, Fields: pod(containers(true, "a/b:1"))}, []string{"falco-privileged-pod"}},
		"not privileged":   {event.Event{Verb: "create", Actor: friend, Object: pods, Fields: pod(containers(false, "a/b:1"))}, nil},
		"exception":        {event.Event{Verb: "create", Actor: friend, Object: event.Ref{Resource: "pods", Namespace: "monitoring"}, Fields: pod(containers(true, "ghcr.io/acme/agent:1", "ghcr.io/acme/agent@sha256:ab"))}, nil},
		"not of all":       {event.Event{Verb: "create", Actor: friend, Object: event.Ref{Resource: "pods", Namespace: "monitoring"}, Fields: pod(containers(true, "ghcr.io/acme/agent:1", "b/c"))}, []string{"falco-privileged-pod"}},
		"person":           {event.Event{Verb: "create", Actor: event.Actor{User: "dora", Groups: []string{"friends"}}, Object: pods, Fields: pod(containers(true, "a/b:1"))}, nil},
		"socket":           {event.Event{Verb: "create", Actor: friend, Object: pods, Fields: pod(map[string]any{"volumes": []any{map[string]any{"hostPath": map[string]any{"path": "/etc/ssh"}}}})}, []string{"falco-host-files"}},
		"host network":     {event.Event{Verb: "create", Actor: friend, Object: pods, Fields: pod(map[string]any{"hostNetwork": true})}, []string{"falco-host-files"}},
		"other files":      {event.Event{Verb: "create", Actor: friend, Object: pods, Fields: pod(map[string]any{"volumes": []any{map[string]any{"hostPath": map[string]any{"path": "/etcetera"}}}})}, nil},
		"wide role": {event.Event{Verb: "create", Actor: friend, Object: event.Ref{Resource: "clusterroles"}, Fields: event.Fields{
			"stage": "ResponseComplete", "request": map[string]any{"rules": []any{map[string]any{"verbs": []any{"get"}, "resources": []any{"*"}}}},
		}}, []string{"falco-wide-role"}},
		"a key":        {event.Event{Verb: "create", Actor: friend, Object: event.Ref{Resource: "configmaps"}, Fields: event.Fields{"request": map[string]any{"data": map[string]any{"aws_secret_key": "x"}}}}, []string{"falco-credentials-in-a-map"}},
		"another key":  {event.Event{Verb: "create", Actor: friend, Object: event.Ref{Resource: "configmaps"}, Fields: event.Fields{"request": map[string]any{"data": map[string]any{"colour": "x"}}}}, nil},
		"registry":     {event.Event{Verb: "create", Actor: friend, Object: pods, Fields: pod(containers(false, "nginx:1", "redis"))}, []string{"falco-all-in-one-registry"}},
		"not registry": {event.Event{Verb: "create", Actor: friend, Object: pods, Fields: pod(containers(false, "nginx:1", "evil"))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c.event.Source = event.SourceAudit
			findings, _, err := detect.NewEngine(set, detect.EngineOptions{}).Fold(&c.event, event.Address{})
			if err != nil {
				t.Error(err)
			}
			var got []string
			for _, f := range findings {
				got = append(got, f.Rule)
				if f.Rule == "falco-unknown-person" && f.Explanation != "K8s person (user=mallory target=cart/pods verb=get resp=200 auth=? cost=${HOME})" {
					t.Errorf("explains %q", f.Explanation)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
		})
	}
}

func TestProblemsHaveAPlace(t *testing.T) {
	const head = "- rule: R\n  source: k8s_audit\n  priority: INFO\n  desc: d\n  output: o\n"
	for text, want := range map[string]string{
		head + "  condition: ka.verb = create and proc.name = x": `f.yaml:6:14: rule "R": field "proc.name" can't be said`,
		head + "  condition: nothing":                            `there is no macro "nothing"`,
		head + "  condition: (ka.verb = a":                       `( is not closed`,
		head + "  condition: ka.verb in (a":                      `( is not closed`,
		head + "  condition: ka.verb =":                          `a value is missing`,
		head + "  condition: ka.verb regex '(?=a)'":              `pattern can't be said`,
		head + "  condition: ka.verb = a ka.uri = b":             `"ka.uri" was not expected`,
		head: `f.yaml:1:3: rule "R" has no condition`,
		"- rule: R\n  condition: evt.type = open\n  source: syscall":                                           `f.yaml:3:11: rule "R" is of source syscall`,
		"- macro: m\n  condition: proc.name = x\n" + head + "  condition: m":                                   `f.yaml:3:3: rule "R" needs macro "m": field "proc.name" can't be said, at f.yaml:2:14`,
		head + "  condition: ka.verb = a\n  exceptions: [{name: x, fields: [ka.verb, ka.uri], values: [[a]]}]": `don't fit together`,
		"- nothing: here": `f.yaml:1:3: neither list, macro nor rule`,
	} {
		result := Import([]foreign.File{{Name: "f.yaml", Data: []byte(text)}})
		if len(result.Problems) == 0 || !strings.Contains(result.Problems[0].Error(), want) || len(result.Documents) > 0 {
			t.Errorf("%s\ngives %v, want %s", text, result.Problems, want)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add(string(sample(f)))
	f.Add("- list: a\n  items: [a, b]\n- macro: m\n  condition: not (m or ka.verb glob 'a*')\n- rule: r\n  source: k8s_audit\n  condition: m and jevt.value[/requestObject/a~1b/0] in (a, \"x\\n\")\n  output: '%ka.uri[0'")
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range Import([]foreign.File{{Name: "f.yaml", Data: []byte(text)}}).Documents {
			docs, err := conf.Documents("imported.yaml", []byte(d.YAML()))
			if err != nil || len(docs) != 1 {
				t.Fatalf("%v\n%s", err, d.YAML())
			}
		}
	})
}
