// Package scripts runs the command line as people do: each file of testdata is
// a script of commands with what they must print and how they must end.
package scripts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// built is the command, built once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "scripts-of-firebreak-")
	if err != nil {
		return "", err
	}
	builtIn = dir
	path := filepath.Join(dir, "firebreak")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/firebreak").CombinedOutput(); err != nil {
		return path, fmt.Errorf("build firebreak: %w: %s", err, out)
	}
	return path, nil
})

// builtIn is what TestMain removes.
var builtIn string

func TestMain(m *testing.M) {
	code := m.Run()
	if err := os.RemoveAll(builtIn); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func command(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestScripts(t *testing.T) {
	bin := filepath.Dir(command(t))
	t.Run("slack guide", func(t *testing.T) { guide(t, bin) })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"ends": ends},
	})
}

// ends runs a command that must end with a code: ends CODE COMMAND ARGUMENTS.
func ends(ts *testscript.TestScript, negate bool, args []string) {
	if negate || len(args) < 2 {
		ts.Fatalf("usage: ends CODE COMMAND ARGUMENTS")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%v ends with %d, not %d", args[1:], got, want)
	}
}
