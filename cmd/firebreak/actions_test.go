package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/respond"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestActions: what is printed of the list and of some actions is as in testdata.
func TestActions(t *testing.T) {
	for _, name := range []string{"", "pod.quarantine", "network.deny", "notify.page"} {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs(strings.Fields("actions " + name))
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", "actions", "all.txt")
		if name != "" {
			file = filepath.Join("testdata", "actions", name+".txt")
		}
		if *update {
			if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(out.Bytes(), want) {
			t.Errorf("firebreak actions %s is not as %s (%v): run go test ./cmd/firebreak -run TestActions -update\n%s", name, file, err, &out)
		}
	}
}

// TestEveryActionIsSaid: each parameter has words, and each example is a step that a
// playbook can have.
func TestEveryActionIsSaid(t *testing.T) {
	all, err := actionLines()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if a.Doc == "" {
			t.Errorf("%s: nothing is said of it", a.Name)
		}
		for _, p := range a.Parameters {
			if p.Doc == "" || p.Type == "any" {
				t.Errorf("%s: parameter %s is %q: %q", a.Name, p.Name, p.Type, p.Doc)
			}
		}
		text := "apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: x}\nspec:\n  when: finding.rule == \"x\"\n  mode: ask\n  steps:\n" + indent(a.Example)
		docs, err := conf.Documents(a.Name, []byte(text))
		if err == nil {
			_, err = respond.ParsePlaybook(docs[0])
		}
		if err != nil {
			t.Errorf("%s: its example is no step: %v\n%s", a.Name, err, text)
		}
	}
}
