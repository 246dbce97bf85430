package scripts

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/command"
)

// root is the repository.
const root = "../.."

// shown is a firebreak command that a guide shows.
type shown struct{ file, text string }

var inline = regexp.MustCompile("`(firebreak [a-z][^`\n]*)`")

// commands are those that the guides of the repository show: lines of their
// blocks of shell, and what stands in the text as code.
func commands(t *testing.T) (all []shown) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) != "README.md" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		shell := false
		for text := range strings.Lines(string(data)) {
			switch mark := strings.TrimSpace(text); {
			case strings.HasPrefix(mark, "```"):
				shell = mark == "```sh"
			case shell && strings.HasPrefix(mark, "firebreak "):
				all = append(all, shown{path, mark})
			case !shell:
				for _, m := range inline.FindAllStringSubmatch(text, -1) {
					all = append(all, shown{path, m[1]})
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// name is of a subcommand, flag of an option.
var (
	name = regexp.MustCompile(`^[a-z][a-z-]*$`)
	flag = regexp.MustCompile(`^--[a-z][a-z-]*`)
)

// TestGuides: each command that a guide shows there is, with each of the options
// that stand behind it.
func TestGuides(t *testing.T) {
	all, help := commands(t), map[string]string{}
	if len(all) < 100 {
		t.Errorf("only %d commands are shown", len(all))
	}
	for _, c := range all {
		if why := missing(t, help, c.text); why != "" {
			t.Errorf("%s: %s", c.file, why)
		}
	}
	for _, text := range []string{"firebreak nothing", "firebreak receipt nothing", "firebreak runs show RUN --nothing"} {
		if missing(t, help, text) == "" {
			t.Errorf("nobody says that there is no %q", text)
		}
	}
}

// missing says what of a command there is not.
func missing(t *testing.T, help map[string]string, text string) string {
	t.Helper()
	bare, _, _ := strings.Cut(text, " #")
	bare, _, _ = strings.Cut(bare, " | ")
	words := strings.Fields(bare)[1:]
	path := words[:1]
	if len(words) > 1 && name.MatchString(words[1]) && strings.Contains(helpOf(t, help, path), "Available Commands:\n") {
		path = words[:2]
	}
	said := helpOf(t, help, path)
	if !regexp.MustCompile(`(?m)^  firebreak ` + strings.Join(path, " ") + `( |$)`).MatchString(said) {
		return fmt.Sprintf("there is no %q:\n%s", text, said)
	}
	for _, w := range words {
		if f := flag.FindString(w); f != "" && !strings.Contains(said, f+" ") && !strings.Contains(said, f+"\n") {
			return fmt.Sprintf("%q has no option %s", text, f)
		}
	}
	return ""
}

func helpOf(t *testing.T, known map[string]string, path []string) string {
	t.Helper()
	key := strings.Join(path, " ")
	if text, ok := known[key]; ok {
		return text
	}
	out, err := exec.CommandContext(t.Context(), command.Path(t), append(slices.Clone(path), "--help")...).CombinedOutput()
	if err != nil {
		out = fmt.Appendf(out, "\n%v", err)
	}
	known[key] = string(out)
	return known[key]
}

// block is what stands in the README between a line and the end of its block.
func block(t *testing.T, readme, first string) string {
	t.Helper()
	at := strings.Index(readme, first)
	if at < 0 {
		t.Fatalf("the README has no %q", first)
	}
	text, _, _ := strings.Cut(readme[at:], "```")
	return text
}

// TestReadme: the first rule, playbook and cases of the README do what they are
// said to, by the very commands that it shows.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme, dir := string(data), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"rules/payments-exec.yaml", "rules/payments-exec_test.yaml", "playbooks/payments.yaml"} {
		write(file, block(t, readme, "# "+file+"\n"))
	}
	write("rules.old/payments-exec.yaml", strings.Replace(block(t, readme, "# rules/payments-exec.yaml\n"), "severity: high", "severity: low", 1))
	write("audit.log", auditLog(t))
	wants := map[string][]string{
		"check":   {"2 documents, no problems"},
		"test":    {"2 cases", "reached 1 of 1 rule", "2 cases passed, 0 failed"},
		"replay":  {"payments-exec: pods/payments/ledger-0/exec", "audit.log:17"},
		"explain": {"found: payments-exec", "audit.log:17"},
	}
	ran := 0
	for line := range strings.Lines(block(t, readme, "firebreak check rules playbooks ")) {
		words := strings.Fields(line)
		text, _, _ := strings.Cut(line, " #")
		cmd := exec.CommandContext(t.Context(), "sh", "-c", text)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+filepath.Dir(command.Path(t))+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", text, err, out)
		}
		want := slices.Clone(wants[words[1]])
		switch {
		case strings.Contains(text, "--playbooks"):
			want = append(want, "playbook isolate-payments would run in mode ask on pods/payments/ledger-0", "would ask 1 person of group/security-oncall")
		case strings.Contains(text, "--against"):
			want = append(want, "severity: low → high")
		}
		for _, w := range want {
			if !strings.Contains(string(out), w) {
				t.Errorf("%s: nothing reads %q:\n%s", text, w, out)
			}
		}
		ran++
	}
	if ran != 5 {
		t.Errorf("%d commands", ran)
	}
}

// auditLog is 17 events, of which the last is what the rule is about.
func auditLog(t *testing.T) string {
	t.Helper()
	type object = map[string]any
	var log strings.Builder
	for i := range 17 {
		e := object{
			"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": fmt.Sprint(i), "stage": "ResponseComplete", "verb": "get",
			"user": object{"username": "ann"}, "sourceIPs": []string{"203.0.113.7"}, "responseStatus": object{"code": 200},
			"objectRef":                object{"resource": "pods", "namespace": "shop", "name": "web-0"},
			"requestReceivedTimestamp": time.Date(2026, 3, 1, 10, 0, i, 0, time.UTC).Format(time.RFC3339),
		}
		if i == 16 {
			e["verb"], e["responseStatus"] = "create", object{"code": 101}
			e["objectRef"] = object{"resource": "pods", "subresource": "exec", "namespace": "payments", "name": "ledger-0"}
		}
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(data, '\n'))
	}
	return log.String()
}
