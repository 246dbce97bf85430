package files

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCoverage: each rule that COVERAGE.md names comes with Firebreak.
func TestCoverage(t *testing.T) {
	data, err := os.ReadFile("../../../detect/rules/COVERAGE.md")
	if err != nil {
		t.Fatal(err)
	}
	set, err := Rules(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, m := range regexp.MustCompile("`([a-z0-9-]+)`").FindAllStringSubmatch(line, -1) {
			if named++; set.Lookup(m[1]) == nil {
				t.Errorf("there is no rule %s: %s", m[1], line)
			}
		}
	}
	if named < 150 {
		t.Errorf("%d rules are named", named)
	}
}
