package detect

import (
	"slices"
	"strings"
	"testing"
)

// TestCalls: each function that windows and novelty know is in the catalogue.
func TestCalls(t *testing.T) {
	var got []string
	for _, c := range Calls() {
		got = append(got, c.Name)
		if !strings.HasPrefix(c.Usage, c.Name+"(") || c.Doc == "" {
			t.Errorf("%s is not documented: %q %q", c.Name, c.Usage, c.Doc)
		}
	}
	for _, name := range slices.Concat(aggregates, novelFunctions) {
		if !slices.Contains(got, strings.TrimRight(name, "?+")) {
			t.Errorf("%s is missing", name)
		}
	}
}
