package talon

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

func TestImport(t *testing.T) {
	data, err := os.ReadFile("testdata/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := foreign.Loading(Import([]foreign.File{{Name: "rules.yaml", Data: data}}))
	var all, problems strings.Builder
	for _, d := range got.Documents {
		all.WriteString(d.YAML())
	}
	for _, p := range got.Problems {
		problems.WriteString(p.Error() + "\n")
	}
	if got.Read != 3 || len(got.Documents) != 4 {
		t.Errorf("read %d rules, made %d documents", got.Read, len(got.Documents))
	}
	for _, want := range []string{
		`rule in ["Terminal shell in container"] and priority in ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice"]`,
		`and ("container" in tags and "shell" in tags or "mitre_execution" in tags) and object.namespace != "kube-system" and fields["proc.name"] == "bash"`,
		`finding.rule == "talon-shell-in-a-container"`, "suspicious: \"true\"", "on_failure: continue", "action: pod.quarantine", "# Notifier slack",
		"mode: observe", "mode: ask", "action: pod.delete", "grace: 5", "action: node.drain", "function: call-it", "node(target.node)", `priority in ["Critical"]`,
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is not in\n%s", want, all.String())
		}
	}
	for _, want := range []string{"rules.yaml:6:", "taking off the label app", `"colour" can't be matched`} {
		if !strings.Contains(problems.String(), want) {
			t.Errorf("%q is not in\n%s", want, problems.String())
		}
	}
}

// TestCatalogue: each actionner and notifier of Talon's catalogue
// (https://docs.falco-talon.org/docs/actionners/list/) becomes an action, or is
// told at its place.
func TestCatalogue(t *testing.T) {
	for _, c := range []struct{ action, makes, says string }{
		{"{actionner: 'kubernetes:label', parameters: {labels: {a: b}}}", "pod.label", ""},
		{"{actionner: 'kubernetes:label', parameters: {level: node, labels: {a: b}}}", "node.label", ""},
		{"{actionner: 'kubernetes:label', parameters: {level: moon, labels: {a: b}}}", "", "labels can be set on pods and nodes alone"},
		{"{actionner: 'kubernetes:annotation', parameters: {level: node, annotations: {example.com/a: b}}}", "", "annotations can be set on pods alone"},
		{"{actionner: 'kubernetes:networkpolicy', parameters: {allow: [192.0.2.0/24]}}", "network.allow", ""},
		{"{actionner: 'calico:networkpolicy', parameters: {order: 20, allow_cidr: [192.0.2.0/24]}}", "network.allow", ""},
		{"{actionner: 'kubernetes:drain', parameters: {max_wait_period: 90, wait_period_excluded_namespaces: [a], min_healthy_replicas: 33%, ignore_errors: true}}", "node.drain", ""},
		{"{actionner: 'kubernetes:terminate', ignore_errors: 'true', parameters: {ignore_standalone_pods: true, min_healthy_replicas: 1}}", "pod.delete", ""},
		{"{actionner: 'kubernetes:tcpdump', parameters: {duration: 5, snaplen: 512, image: example.com/tcpdump}}", "pod.capture", ""},
		{"{actionner: 'kubernetes:script', parameters: {shell: /bin/bash, script: 'ps; id'}}", "pod.exec", ""},
		{"{actionner: 'kubernetes:script', parameters: {file: /tmp/a.sh}}", "", "write it under script"},
		{"{actionner: 'kubernetes:annotation', parameters: {annotations: {example.com/a: b}}}", "pod.annotate", ""},
		{"{actionner: 'kubernetes:cordon'}", "node.cordon", ""},
		{"{actionner: 'kubernetes:drain', parameters: {ignore_daemonsets: true}}", "node.drain", ""},
		{"{actionner: 'kubernetes:terminate', parameters: {grace_period_seconds: 2, ignore_statefulsets: true}}", "pod.delete", ""},
		{"{actionner: 'kubernetes:networkpolicy'}", "pod.quarantine", ""},
		{"{actionner: 'kubernetes:networkpolicy', parameters: {allow_cidr: [192.0.2.0/24], allow_namespaces: [green]}}", "network.allow", ""},
		{"{actionner: 'cilium:networkpolicy', parameters: {allow_cidr: [192.0.2.0/24]}}", "network.allow", ""},
		{"{actionner: 'calico:networkpolicy'}", "pod.quarantine", ""},
		{"{actionner: 'kubernetes:log', parameters: {tail_lines: 200}}", "pod.logs", ""},
		{"{actionner: 'kubernetes:download', parameters: {file: /var/log/web.log}}", "pod.files", ""},
		{"{actionner: 'kubernetes:exec', parameters: {command: 'ps aux > /tmp/ps'}}", "pod.exec", ""},
		{"{actionner: 'kubernetes:exec'}", "", "names no command and no script"},
		{"{actionner: 'kubernetes:tcpdump', parameters: {duration: 5}}", "pod.capture", "needs an image"},
		{"{actionner: 'kubernetes:delete'}", "notify.event", "to be done by hand"},
		{"{actionner: 'kubernetes:sysdig'}", "notify.event", "to be done by hand"},
		{"{actionner: 'aws:lambda', parameters: {aws_lambda_name: x}}", "function.webhook", ""},
		{"{actionner: 'gcp:function', parameters: {gcp_function_name: x}}", "function.webhook", ""},
		{"{}", "", `there is no action "Do it"`},
	} {
		text := "- rule: a\n  match: {rules: [b]}\n  actions: [" + strings.Replace(c.action, "{", "{action: Do it, ", 1) + "]\n"
		got := foreign.Loading(Import([]foreign.File{{Name: "t.yaml", Data: []byte(text)}}))
		var all, problems string
		for _, d := range got.Documents {
			all += d.YAML()
		}
		for _, p := range got.Problems {
			problems += p.Error() + "\n"
		}
		switch {
		case c.makes != "" && !strings.Contains(all, "action: "+c.makes+"\n"), c.says == "" && problems != "":
			t.Errorf("%s makes\n%s%s", c.action, all, problems)
		case c.says != "" && (!strings.Contains(problems, c.says) || !strings.Contains(problems, "t.yaml:")):
			t.Errorf("%s says %q, want %q", c.action, problems, c.says)
		}
	}
	for name, makes := range map[string]string{
		"k8sevents": "notify.event", "smtp": "notify.page", "webhook": "notify.webhook", "loki": "notify.webhook", "elasticsearch": "notify.webhook", "otel": "notify.webhook",
	} {
		text := "- rule: a\n  match: {rules: [b]}\n  actions: [{action: c, actionner: 'kubernetes:cordon'}]\n  notifiers: [" + name + "]\n"
		got := foreign.Loading(Import([]foreign.File{{Name: "t.yaml", Data: []byte(text)}}))
		if len(got.Documents) != 2 || !strings.Contains(got.Documents[1].YAML(), "action: "+makes) {
			t.Errorf("notifier %s: %+v", name, got.Problems)
		}
	}
}

// TestOverrides: what several files say of one rule or action is joined as Talon
// joins it, and what comes after an action that ends a rule is not done.
func TestOverrides(t *testing.T) {
	files := []foreign.File{
		{Name: "rules.yaml", Data: []byte(`
- action: End it
  actionner: kubernetes:terminate
  parameters: {grace_period_seconds: 5, ignore_standalone_pods: true}
- action: Mark it
  actionner: kubernetes:label
  parameters: {labels: {a: one, b: two}}
- action: Fence it
  actionner: cilium:networkpolicy
  parameters: {allow_cidr: [192.0.2.0/24]}
- rule: A shell
  match: {rules: [Terminal shell in container], priority: Notice, output_fields: ['proc.name="bash"']}
  actions:
    - {action: Mark it, parameters: {labels: {b: three, c: four}}}
    - {action: Fence it, parameters: {allow_cidr: [198.51.100.0/24]}}
    - {action: End it, continue: "true"}
    - {action: Mark it}
`)},
		{Name: "override.yaml", Data: []byte(`
- action: End it
  parameters: {grace_period_seconds: 2}
- rule: A shell
  dry_run: "true"
  match: {rules: [Another shell], priority: Critical}
  actions:
    - {action: End it}
    - {action: Fence it}
`)},
	}
	got := foreign.Loading(Import(files))
	var all string
	for _, d := range got.Documents {
		all += d.YAML()
	}
	if got.Read != 1 || len(got.Problems) > 0 {
		t.Errorf("read %d rules, %v", got.Read, got.Problems)
	}
	for _, want := range []string{
		`rule in ["Terminal shell in container", "Another shell"] and priority in ["Critical"] and fields["proc.name"] == "bash"`,
		"mode: observe", "grace: 2", "b: two", "c: four", "198.51.100.0/24", "192.0.2.0/24",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
	for what, n := range map[string]int{"action: pod.delete\n": 2, "action: network.allow\n": 1, "action: pod.label\n": 2, "grace: 5": 0} {
		if have := strings.Count(all, what); have != n {
			t.Errorf("%q is there %d times, want %d, in\n%s", what, have, n, all)
		}
	}
	if !slices.ContainsFunc(got.Notes, func(n *conf.Error) bool {
		return strings.Contains(n.Msg, "Fence it is left out") && n.File == "override.yaml"
	}) {
		t.Errorf("notes: %v", got.Notes)
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("- rule: a\n  match: {rules: [b], priority: '>Notice', tags: ['a,b'], output_fields: ['x=y']}\n  actions: [{action: c, actionner: 'kubernetes:label', parameters: {labels: {a: b}}}]\n"))
	f.Add([]byte("- action: a\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, d := range foreign.Loading(Import([]foreign.File{{Name: "f.yaml", Data: data}})).Documents {
			_ = d.YAML()
		}
	})
}
