// Package command builds Firebreak's command for tests that run it in a process
// of its own, as people do.
package command

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// dir is what [Remove] removes. Only build writes it, once.
var dir string

var build = sync.OnceValues(func() (string, error) {
	var err error
	if dir, err = os.MkdirTemp("", "firebreak-command-"); err != nil {
		return "", fmt.Errorf("build firebreak: %w", err)
	}
	path := filepath.Join(dir, "firebreak")
	out, err := exec.Command("go", "build", "-o", path, "github.com/firebreak-io/firebreak/cmd/firebreak").CombinedOutput() // #nosec G204 -- in a folder of its own
	if err != nil {
		return "", fmt.Errorf("build firebreak: %w: %s", err, out)
	}
	return path, nil
})

// Path is where the command is, built once for all tests of a process. The test
// fails when it can't be built. It may be called concurrently, by the goroutines
// of tests; TestMain has to call [Remove].
func Path(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Remove takes away what was built, after all tests, and gives the code to end
// with: that of the tests, or 1 where it can't be taken away.
func Remove(code int) int {
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}
