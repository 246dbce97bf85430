package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/firebreak-io/firebreak/playbooks"
)

//go:generate go test . -run TestCurrent -update

var update = flag.Bool("update", false, "write playbooks/schema.json")

const root = "../../.."

// TestCurrent holds the schemas that are shipped against the code.
func TestCurrent(t *testing.T) {
	all, err := Make(os.DirFS(root), Specs())
	if err != nil {
		t.Fatal(err)
	}
	actions, err := Actions(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for name, made := range map[string][]byte{"schema.json": all, "actions.json": actions} {
		file := filepath.Join(root, "playbooks", name)
		if *update {
			if err := os.WriteFile(file, made, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if shipped, err := os.ReadFile(file); err != nil || !bytes.Equal(made, shipped) {
			t.Errorf("playbooks/%s is not what the code says; run go generate ./cmd/internal/schema (%v)", name, err)
		}
	}
}

func compiled(t *testing.T, data []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate is as an editor does it: the file as YAML, each document by itself.
func validate(t *testing.T, s *jsonschema.Schema, text string) (problem error) {
	t.Helper()
	for _, part := range strings.Split("\n"+text, "\n---") {
		var plain any
		if err := yaml.Unmarshal([]byte(part), &plain); err != nil {
			t.Fatal(err)
		}
		if plain == nil {
			continue
		}
		data, err := json.Marshal(plain)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); err != nil {
			return err
		}
	}
	return nil
}

// TestShippedFiles validates every shipped file, which says in its first line
// where its schema is.
func TestShippedFiles(t *testing.T) {
	s := compiled(t, playbooks.Schema)
	n := 0
	for _, dir := range []string{"detect/rules", "playbooks"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" || strings.HasSuffix(name, "_test.yaml") {
				return err
			}
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			n++
			first, _, _ := strings.Cut(string(data), "\n")
			at, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), at)); !ok || err != nil {
				t.Errorf("%s does not begin with the line that names its schema: %v", name, err)
			}
			if err := validate(t, s, string(data)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 10 {
		t.Errorf("%d files", n)
	}
}

func TestSchemaFindsMistakes(t *testing.T) {
	const head = "apiVersion: firebreak.io/v1alpha1\nkind: Rule\nmetadata: {name: mine}\nspec:\n"
	const fine = head + "  title: T\n  severity: high\n  source: audit\n  when: verb == \"get\"\n  window: {by: [actor.user], over: 5m, having: count() > 3}\n"
	for _, data := range [][]byte{playbooks.Schema, only(t, "Rule")} {
		s := compiled(t, data)
		if err := validate(t, s, fine); err != nil {
			t.Error(err)
		}
		for _, change := range [][2]string{
			{"severity: high", "severity: hihg"}, {"title:", "titel:"}, {"over: 5m", "ovre: 5m"}, {"kind: Rule", "kind: Rool"},
			{"source: audit", "source: [audit]"}, {"name: mine", "name: Mine"}, {"over: 5m", "over: soon"}, {"v1alpha1", "v1"},
			{"  title: T\n", ""}, {"spec:\n", "spec:\n  attack: [T1]\n"}, {"spec:\n", "spec:\n  mode: dare\n"},
		} {
			text := strings.Replace(fine, change[0], change[1], 1)
			if err := validate(t, s, text); err == nil {
				t.Errorf("%q in the place of %q is not found", change[1], change[0])
			}
		}
	}
	if _, err := Only(playbooks.Schema, "Playbok"); err == nil || !strings.Contains(err.Error(), `did you mean "Playbook"?`) {
		t.Errorf("got %v", err)
	}
}

func only(t *testing.T, kind string) []byte {
	t.Helper()
	data, err := Only(playbooks.Schema, kind)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
