package action

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of actions anew")

// TestReadme: the table of the README is that of the catalogue.
func TestReadme(t *testing.T) {
	const begin, end = "<!-- actions: go test ./respond/action -run TestReadme -update -->\n", "<!-- end of actions -->"
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, found := strings.Cut(rest, end)
	if !ok || !found {
		t.Fatal("README.md has no place for the table")
	}
	want := before + begin + table() + end + after
	if want == string(data) {
		return
	}
	if !*update {
		t.Fatal("the table of README.md is not that of the catalogue: run go test ./respond/action -run TestReadme -update")
	}
	if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// table is the catalogue in Markdown.
func table() string {
	var b strings.Builder
	b.WriteString("| action | works on | undone | what it does |\n|---|---|---|---|\n")
	for _, k := range Kinds() {
		targets := strings.Join(k.Targets, ", ")
		if targets == "" {
			targets = "anything"
		}
		undone := "no"
		switch {
		case k.Class != Effect:
			undone = "changes nothing"
		case k.Deletable:
			undone = "yes, or deleted"
		case k.Reversible:
			undone = "yes"
		}
		doc := strings.NewReplacer("|", "\\|", "\n", " ").Replace(k.Doc)
		if k.OptIn {
			doc += " *Its permissions come with a playbook that uses it.*"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, targets, undone, doc)
	}
	return b.String()
}
