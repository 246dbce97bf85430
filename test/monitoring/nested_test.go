package monitoring

import (
	"os/exec"
	"testing"
)

// Prometheus evaluates in a module of its own, with its own dependencies.
func TestAlerts(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another module")
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "./...")
	cmd.Dir = "prometheus"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
