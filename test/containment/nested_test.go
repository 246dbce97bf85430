package containment

import (
	"os/exec"
	"testing"
)

// Cyclonus judges in a module of its own, with its own dependencies.
func TestReachAgreesWithCyclonus(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another module")
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-v", "./...")
	cmd.Dir = "cyclonus"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
