// Package scripts runs the command line as people do: each file of testdata is
// a script of commands with what they must print and how they must end.
package scripts

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/firebreak-io/firebreak/test/command"
)

func TestMain(m *testing.M) {
	os.Exit(command.Remove(m.Run()))
}

func TestScripts(t *testing.T) {
	bin := filepath.Dir(command.Path(t))
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
