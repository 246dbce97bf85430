package talon

import (
	"os"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
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
		`finding.rule == "talon-shell-in-a-container"`, "suspicious: \"true\"", "on_failure: continue", "action: pod.quarantine", "webhook: slack",
		"mode: observe", "mode: ask", "# NOT AS IN TALON: kubernetes:terminate (line 23)", "node(target.node)", `priority in ["Critical"]`,
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("%q is not in\n%s", want, all.String())
		}
	}
	for _, want := range []string{"rules.yaml:6:", "taking off the label app", "rules.yaml:23:", "kubernetes:drain", "aws:lambda", `"colour" can't be matched`} {
		if !strings.Contains(problems.String(), want) {
			t.Errorf("%q is not in\n%s", want, problems.String())
		}
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
