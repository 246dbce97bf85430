package cases

import (
	"os"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
)

// TestGuideOfPlaybooks loads the example of the guide, and runs its case.
func TestGuideOfPlaybooks(t *testing.T) {
	text, err := os.ReadFile("../../../playbooks/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, rest, _ := strings.Cut(rest, "```")
	_, rest, _ = strings.Cut(rest, "```yaml cases\n")
	tests, _, _ := strings.Cut(rest, "```")
	r, dir := runner(t, map[string]string{"guide.yaml": example})
	if _, problems := files.Check([]string{dir}); len(problems) > 0 {
		t.Fatal(problems)
	}
	f, err := Decode("guide_test.yaml", []byte(tests))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range f.Cases {
		result, err := r.Run(t.Context(), c)
		if err != nil || len(result.Problems) > 0 {
			t.Errorf("%s: %v, %v", c.Name, err, result.Problems)
		}
	}
	if len(f.Cases) == 0 {
		t.Error("the guide has no case")
	}
}

// TestPlayed says what is not as expected of runs that are played.
func TestPlayed(t *testing.T) {
	r, _ := runner(t, nil)
	const pod = "{kind: Pod, metadata: {namespace: shop, name: web, labels: {app: web}}}"
	for text, want := range map[string]string{
		"runs: [{playbook: hold, state: expired, did: [], ends: {isolate: skipped}}]":                                                                "",
		"during: [{vote: ann}]\n  runs: [{playbook: hold, state: holding, did: [isolate]}]":                                                          "",
		"during: [{vote: ann}]\n  runs: [{playbook: hold, state: closed}]":                                                                           "run of hold ends holding, want closed",
		"during: [{deny: ann}]\n  runs: [{playbook: hold, state: denied}]":                                                                           "",
		"during: [{fail: isolate, as: final}, {vote: ann}]\n  runs: [{playbook: hold, state: failed, did: [undo isolate], ends: {isolate: failed}}]": "",
		"during: [{vote: ann}]\n  objects: [{kind: Pod, metadata: {namespace: shop, name: web, labels: {firebreak.io/hold: null}}}]":                 "pods/shop/web.metadata.labels.firebreak.io/hold is quarantine, want none",
		"during: [{vote: ann}, {at: 1h, undo: bob, end: delete}]\n  objects: [{kind: Pod, metadata: {namespace: shop, name: web}, gone: true}]":      "",
	} {
		f, err := Decode("p_test.yaml", []byte("cases:\n- name: one\n  cluster: ["+pod+"]\n"+
			"  findings: [{rule: shell, trust: 2, subject: {resource: pods, namespace: shop, name: web}}]\n  "+text+"\n"))
		if err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		result, err := r.Run(t.Context(), f.Cases[0])
		if got := strings.Join(result.Problems, "\n"); err != nil || (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s\n got %q, %v\nwant %q", text, got, err, want)
		}
	}
}
