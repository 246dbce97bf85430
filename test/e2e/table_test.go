package e2e

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of the README anew")

// TestTable: the README of actions says what the conformance suite tries with
// each, and why something is not tried.
func TestTable(t *testing.T) {
	const path, begin, end = "../../respond/action/README.md", "-->\n", "<!-- end of conformance -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), "<!-- conformance: ")
	command, rest, also := strings.Cut(rest, begin)
	_, after, there := strings.Cut(rest, end)
	if !ok || !also || !there {
		t.Fatal("the README has no place for the table")
	}
	now := before + "<!-- conformance: " + command + begin + conformance() + end + after
	if now == string(text) {
		return
	}
	if !*update {
		t.Fatal("the table of the README is not that of the suite: run go test ./test/e2e -run TestTable -update")
	}
	if err := os.WriteFile(path, []byte(now), 0o600); err != nil {
		t.Fatal(err)
	}
}
