package files_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/cmd/internal/files"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

const (
	rule = `apiVersion: firebreak.io/v1alpha1
kind: Rule
metadata: {name: NAME}
spec: {title: T, severity: low, source: audit, when: verb == "get"}
`
	playbook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: NAME}
spec: {title: mine, when: "true", steps: [{name: a, action: pod.quarantine}]}
`
)

// write makes files of a directory and gives the directory.
func write(t *testing.T, all map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func named(text, name string) string { return strings.ReplaceAll(text, "NAME", name) }

// TestShippedPlaybooksNeverAct: what comes with Firebreak asks or observes, and
// a hold on a pod ends by people's decision.
func TestShippedPlaybooksNeverAct(t *testing.T) {
	books, err := files.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	if len(books) == 0 {
		t.Fatal("none is shipped")
	}
	for _, b := range books {
		if b.Mode == event.ModeAct {
			t.Errorf("%s acts without being asked", b.Name)
		}
		if b.Title == "" {
			t.Errorf("%s has no title", b.Name)
		}
		for _, s := range b.Steps {
			if s.Holds() && s.AtEnd != event.AtEndAsk {
				t.Errorf("%s: step %s ends with %s", b.Name, s.Name, s.AtEnd)
			}
		}
	}
}

// TestShippedPlaybooksSpeakOfShippedRules: a rule that is renamed takes its
// playbooks along.
func TestShippedPlaybooksSpeakOfShippedRules(t *testing.T) {
	rules, err := files.Rules(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	books, err := files.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	for _, d := range rules.Detectors() {
		for _, target := range []event.Ref{event.PodRef("n", "p"), event.NodeRef("n")} {
			f := event.Finding{Rule: d.Name(), Severity: event.SeverityCritical, Subject: target}
			for _, b := range books {
				applies, err := b.Applies(respond.Env{Finding: f, Target: target})
				if err != nil {
					t.Errorf("%s: %v", b.Name, err)
				}
				reached[b.Name] = reached[b.Name] || applies
			}
		}
	}
	for _, b := range books {
		if !reached[b.Name] {
			t.Errorf("%s applies to no finding of a shipped rule", b.Name)
		}
	}
}

func TestExamplesAreFine(t *testing.T) {
	n, problems := files.Check([]string{"../../../playbooks", "../../../playbooks/examples", "../../../detect/rules"})
	if n < 10 || len(problems) > 0 {
		t.Errorf("%d documents, problems %v", n, problems)
	}
}

func TestUsersDocumentsTakeTheShippedOnesPlace(t *testing.T) {
	dir := write(t, map[string]string{
		"a.yaml": named(playbook, "contain-container-escape") + "---\n" + named(playbook, "mine"),
		"b.yml":  named(rule, "pod-exec"),
	})
	shipped, err := files.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	books, err := files.Playbooks([]string{dir}, true)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range books {
		names = append(names, b.Name)
		if mine := b.Name == "mine" || b.Name == "contain-container-escape"; mine != (b.Title == "mine") {
			t.Errorf("%s is titled %q", b.Name, b.Title)
		}
	}
	if len(books) != len(shipped)+1 || !slices.IsSorted(names) {
		t.Errorf("playbooks %v", names)
	}
	rules, err := files.Rules([]string{dir}, true)
	if err != nil {
		t.Fatal(err)
	}
	all, err := files.Rules(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(rules.Detectors()) != len(all.Detectors()) || rules.Lookup("pod-exec").Version() == all.Lookup("pod-exec").Version() {
		t.Error("the rule did not take the shipped one's place")
	}
	alone, err := files.Rules([]string{dir}, false)
	if err != nil || len(alone.Detectors()) != 1 {
		t.Errorf("without the shipped ones: %v, %v", alone, err)
	}
	if books, err := files.Playbooks([]string{dir}, false); err != nil || len(books) != 2 {
		t.Errorf("without the shipped ones: %v, %v", books, err)
	}
}

// TestProblemsAreJoined: all of them are told at once, and nothing is loaded.
func TestProblemsAreJoined(t *testing.T) {
	dir := write(t, map[string]string{
		"a.yaml": named(playbook, "x") + "---\n" + named(playbook, "x"),
		"b.yaml": strings.Replace(named(playbook, "y"), "pod.quarantine", "pod.quarantin", 1),
		"c.yaml": strings.Replace(named(playbook, "z"), "Playbook", "Playbok", 1),
		"d.yaml": "a: [",
	})
	books, err := files.Playbooks([]string{dir}, true)
	if err == nil || books != nil {
		t.Fatalf("loaded %v", books)
	}
	for _, want := range []string{
		`"x" is the name of the Playbook at`, `unknown action "pod.quarantin"`, "pod.quarantine", `unknown kind "Playbok"`, "d.yaml:1:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := write(t, map[string]string{
		"b.yaml": strings.Replace(named(playbook, "y"), "pod.quarantine", "pod.quarantin", 1),
		"a.yaml": strings.Replace(named(rule, "r"), `verb == "get"`, `verbb == "get"`, 1) + "---\n" + named(rule, "fine"),
		"c.yaml": "apiVersion: firebreak.io/v1alpha1\nkind: Config\nmetadata: {name: c}\nspec: {respond: {mode: acts}}\n",
	})
	n, problems := files.Check([]string{dir})
	var got []string
	for _, p := range problems {
		if p.Line == 0 || p.Column == 0 || p.Snippet == "" {
			t.Errorf("%v has no place", p)
		}
		got = append(got, filepath.Base(p.File))
	}
	if want := []string{"a.yaml", "b.yaml", "c.yaml"}; n != 4 || !slices.Equal(got, want) {
		t.Errorf("%d documents, problems in %v: %v", n, got, problems)
	}
}

func TestReadable(t *testing.T) {
	dir := write(t, map[string]string{"full/a.yaml": "", "full/.hidden/b.yaml": "", "empty/readme.md": "", "link/.data/a.yaml": ""})
	if err := os.Symlink(".data/a.yaml", filepath.Join(dir, "link", "a.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "full", "c.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := files.Readable(filepath.Join(dir, "link"), filepath.Join(dir, "full", "a.yaml")); err != nil {
		t.Error(err)
	}
	err := files.Readable(filepath.Join(dir, "empty"), filepath.Join(dir, "missing"), filepath.Join(dir, "full"))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three problems, got %v", err)
	}
}
