package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A log that was moved away when it was large is recorded wholly, in order.
func TestGatherTakesWhatWasMovedAway(t *testing.T) {
	dir := t.TempDir()
	for name, says := range map[string]string{
		"audit.log": "c\n", "audit-2026-11-23T01-47-11.908.log": "b\n", "audit-2026-11-23T00-55-00.001.log": "a\n", "audit-policy.yaml": "no\n", "audit-webhook.log": "no\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(says), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	if err := gather(&out, filepath.Join(dir, "audit.log")); err != nil || out.String() != "a\nb\nc\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
