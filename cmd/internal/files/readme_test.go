package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme checks that the rule and the playbook of the README load.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, n := t.TempDir(), 0
	for i, block := range strings.Split(string(text), "```yaml\n")[1:] {
		body, _, ok := strings.Cut(block, "```")
		if !ok {
			t.Fatal("a block does not end")
		}
		if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))+".yaml"), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 2 {
		t.Fatalf("%d blocks of YAML, want a rule and a playbook", n)
	}
	documents, problems := Check([]string{dir})
	for _, p := range problems {
		t.Error(p)
	}
	if documents != n {
		t.Errorf("%d documents were checked", documents)
	}
}
