package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
)

func read(t *testing.T, data []byte) (documents, problems, notes string, result foreign.Result) {
	t.Helper()
	result = foreign.Loading(Import([]foreign.File{{Name: "policy.yaml", Data: data}}))
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
	if result.Read != 4 || len(result.Documents) != 4 || len(result.Problems) != 4 {
		t.Errorf("read %d rules, made %d documents, %d problems", result.Read, len(result.Documents), len(result.Problems))
	}
	for text, in := range map[string]string{
		`(finding.model != "" and anomaly.decision < -0.5)`: all, "order: 102": all, "mode: ask": all,
		`(finding.rule == "policy-failed-auths-6" or (anomaly.features.failed_auths ?? 0) > 5)`: all, "count() >= 6": all,
		`finding.rule in ["container-escape"]`: all, "action: pod.quarantine": all, "action: node.cordon": all, "webhook: email": all,
		`security-response-policy/rate-limit: "10"`: all, "security-response-policy/additional-auth: mfa": all,
		"alerts_per_day": notes, "scikit-learn's decision function": notes,
		"policy.yaml:10:9: rate_limit of 10": problems, "policy.yaml:18:9: ip_block": problems, `there is no number "nonsense"`: problems,
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

func FuzzImport(f *testing.F) {
	f.Add([]byte("response_rules:\n- {condition: 'anomaly_score < -0.5 and not (failed_auths >= 5)', actions: [rate_limit, {alert: {channels: [a]}}]}\n"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		for _, d := range foreign.Loading(Import([]foreign.File{{Name: "f.yaml", Data: data}})).Documents {
			_ = d.YAML()
		}
	})
}
