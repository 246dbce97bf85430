package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
)

func read(t *testing.T, data []byte) (documents, problems, notes string, result foreign.Result) {
	t.Helper()
	result = foreign.Loading(Import([]foreign.File{{Name: "policy.yaml", Data: data}}, Options{}))
	for _, d := range result.Documents {
		documents += d.YAML()
	}
	for _, p := range result.Problems {
		problems += p.Error() + "\n"
	}
	for _, n := range result.Notes {
		notes += n.Error() + "\n"
	}
	return documents, problems, notes, result
}

func TestImport(t *testing.T) {
	data, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, problems, notes, result := read(t, data)
	if result.Read != 4 || len(result.Documents) != 4 || len(result.Problems) != 2 {
		t.Errorf("read %d rules, made %d documents, %d problems", result.Read, len(result.Documents), len(result.Problems))
	}
	for text, in := range map[string]string{
		`(finding.model != "" and anomaly.decision < -0.5)`: all, "order: 102": all, "mode: ask": all,
		`(finding.rule == "policy-failed-auths-6" or (anomaly.features.failed_auths ?? 0) > 5)`: all, "count() >= 6": all,
		`finding.rule in ["container-escape"]`: all, "action: pod.quarantine": all, "action: node.isolate": all, "- email": all, "action: network.deny": all, "${finding.actor.address}": all, `undo_after: "1h"`: all,
		`object("services", target.namespace, target.workload.name)`: all, "requests: 10": all, "action: rate.http": all, "security-response-policy/additional-auth: mfa": all,
		"alerts_per_day": notes, "scikit-learn's decision function": notes,
		"policy.yaml:12:9: additional_auth by mfa needs --issuer": problems, "--service": notes, "notify.receivers": notes, `there is no number "nonsense"`: problems,
	} {
		if !strings.Contains(in, text) {
			t.Errorf("%q is not in\n%s", text, in)
		}
	}
}

// TestForms: an action is a name, a mapping of its name, or has a type; the
// policy may stand in a ConfigMap or by itself.
func TestForms(t *testing.T) {
	for _, text := range []string{
		"response_rules:\n- condition: container_escape_detected\n  actions: [pod_quarantine]\n",
		"response_rules:\n- condition: container_escape_detected\n  actions: [{pod_quarantine: true, node_isolation: false}]\n",
		"response_rules:\n- condition: container_escape_detected\n  actions: [{type: pod_quarantine, parameters: {duration: 2h}}]\n",
		"kind: ConfigMap\nmetadata: {name: security-response-policy}\ndata:\n  response_rules: |\n    - condition: container_escape_detected and failed_auths > 5\n      actions: {pod_quarantine: {}}\n",
	} {
		all, problems, _, _ := read(t, []byte(text))
		if strings.Count(all, "action: ") != 1 || !strings.Contains(all, "action: pod.quarantine") || problems != "" {
			t.Errorf("%s\ngave\n%s%s", text, all, problems)
		}
	}
	for text, want := range map[string]string{
		"a: b\n": "no response_rules", "response_rules: [{actions: [alert]}]\n": "has no condition",
		"response_rules:\n- {condition: container_escape_detected, actions: [pod_quarantin]}\n": `did you mean "pod_quarantine"?`,
		"response_rules:\n- {condition: 'failed_auths > x', actions: [alert]}\n":                "is no number",
	} {
		if _, problems, _, _ := read(t, []byte(text)); !strings.Contains(problems, want) {
			t.Errorf("%s\nsays %q, want %q", text, problems, want)
		}
	}
}

// TestActions: each action of the format becomes one of ours with its parameters,
// whatever way they are written in.
func TestActions(t *testing.T) {
	for _, c := range []struct{ action, makes, says string }{
		{"rate_limit: {requests_per_minute: 10}", "requests: 10", ""},
		{"rate_limit: {requests_per_minute: '100', duration: 2 hours}", "undo_after: 2h", ""},
		{"rate_limit: {requests_per_second: 2}", "requests: 120", ""},
		{"type: rate_limit, config: {requests_per_minute: 7}", "requests: 7", ""},
		{"rate_limit: {}", "rate-limit: unsaid", "no number from 1"},
		{"rate_limit: {requests_per_minute: many}", "rate-limit: many", "no number from 1"},
		{"additional_auth: {method: mfa}", "value: mfa", ""},
		{"additional_auth: {}", "value: mfa", ""},
		{"additional_auth: {method: otp, duration: 30m}", "value: otp", ""},
		{"ip_block: {duration: 1h}", "undo_after: 1h", ""},
		{"ip_block: {duration: 3600}", "undo_after: 3600s", ""},
		{"ip_block: {duration: 30 minutes}", "undo_after: 30m", ""},
		{"ip_block: {duration: 7d}", "undo_after: 24h at_end: ask", ""},
		{"ip_block: {}", "undo_after: 1h", ""},
		{"ip_block: {duration: soon}", "undo_after: 1h", `duration "soon" is none`},
		{"action: ip_block, duration: 45m", "undo_after: 45m", ""},
		{"alert: {severity: high, channels: [slack, email, pager]}", "to: - email - pager", ""},
		{"alert: {severity: high, channels: email}", "to: - email", ""},
		{"alert: {severity: high}", "reason: SecurityAlert", ""},
		{"pod_quarantine: {duration: 2h}", "action: pod.quarantine", ""},
		{"node_isolation: {}", "action: node.isolate target: |- target.resource == nodes ? target : node(target.node) at_end: ask", ""},
		{"node_isolation: {quarantine: true, duration: 2h}", "undo_after: 2h with: quarantine: true", ""},
		{"incident_response: {priority: critical}", "priority critical", ""},
		{"reboot: {}", "", `unknown action "reboot"`},
	} {
		text := "response_rules:\n- condition: container_escape_detected\n  actions:\n  - pod_quarantine\n  - {" + c.action + "}\n"
		got := foreign.Loading(Import([]foreign.File{{Name: "policy.yaml", Data: []byte(text)}},
			Options{Issuer: "https://login.example", JWKS: "https://login.example/keys", Service: "web"}))
		var all, problems string
		for _, d := range got.Documents {
			all += d.YAML()
		}
		for _, p := range got.Problems {
			problems += p.Error() + "\n"
		}
		all = strings.Join(strings.Fields(strings.ReplaceAll(all, `"`, "")), " ")
		if len(got.Documents) != 1 || !strings.Contains(all, c.makes) || (c.says == "") != (problems == "") || !strings.Contains(problems, c.says) {
			t.Errorf("%s makes\n%sand says %s", c.action, all, problems)
		}
		if c.says != "" && !strings.Contains(problems, "policy.yaml:5:") {
			t.Errorf("%s is told at another place: %s", c.action, problems)
		}
	}
}

// TestShapes: policies in Lists, in several documents and as text of ConfigMaps;
// one bad rule hinders no other.
func TestShapes(t *testing.T) {
	const rule = "- {condition: container_escape_detected, actions: [pod_quarantine]}"
	for name, text := range map[string]string{
		"list":      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: x}}\n- apiVersion: v1\n  kind: ConfigMap\n  data:\n    p.yaml: |\n      response_rules:\n      " + rule + "\n",
		"map list":  "kind: ConfigMapList\nitems:\n- kind: ConfigMap\n  data:\n    response_rules: |\n      " + rule + "\n",
		"documents": "response_rules:\n" + rule + "\n---\nkind: ConfigMap\ndata:\n  x: y\n  p: |\n    response_rules:\n    " + rule + "\n",
		"folded":    "kind: ConfigMap\ndata:\n  response_rules: '[{condition: container_escape_detected, actions: [pod_quarantine]}]'\n",
		"one bad":   "response_rules:\n- {condition: 'x < y < z', actions: [alert]}\n" + rule + "\n- {actions: [alert]}\n- {condition: container_escape_detected}\n",
	} {
		all, problems, _, result := read(t, []byte(text))
		want := 1
		if name == "documents" {
			want = 2
		}
		if strings.Count(all, "action: pod.quarantine") != want || (problems != "") != (name == "one bad") {
			t.Errorf("%s: %d documents\n%s%s", name, len(result.Documents), all, problems)
		}
	}
	if _, problems, _, _ := read(t, []byte("kind: List\nitems: [{kind: Secret}]\n")); !strings.Contains(problems, "no item of the list") {
		t.Errorf("says %s", problems)
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte("response_rules:\n- {condition: 'anomaly_score < -0.5 and not (failed_auths >= 5)', actions: [rate_limit, {alert: {channels: [a]}}]}\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, d := range foreign.Loading(Import([]foreign.File{{Name: "f.yaml", Data: data}}, Options{Issuer: "https://login.example", JWKS: "https://login.example/keys"})).Documents {
			_ = d.YAML()
		}
	})
}
