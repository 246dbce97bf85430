//go:build linux

package torture

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/firebreak-io/firebreak/test/command"
)

// roleVar makes the test binary a child of the tests: one of the roles below.
const roleVar = "FIREBREAK_TORTURE_ROLE"

// privateVar says that the process has mounts of its own already.
const privateVar = "FIREBREAK_TORTURE_PRIVATE"

// roles are what a child can be; each runs until it is killed.
var roles = map[string]func() error{
	"notifier":  notifier,
	"responder": responder,
	"nats":      natsServer,
	"publisher": publisher,
	"unsynced":  unsyncedPublisher,
	"witness":   witness,
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		fmt.Fprintln(os.Stderr, role, "ended:", roles[role]())
		os.Exit(3)
	}
	if os.Geteuid() == 0 && os.Getenv(privateVar) == "" {
		runtime.LockOSThread() // the child dies with the thread that began it
		if code, ok := private(); ok {
			os.Exit(code)
		}
	}
	os.Exit(command.Remove(m.Run()))
}

// private runs the tests again in a process with a mount namespace of its own. However that process ends,
// the kernel takes its mounts away, and the loop devices under them.
func private() (code int, ok bool) {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), privateVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, false // not allowed here: then the mounts are everybody's
	}
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() < 0 {
		return 1, true
	}
	return cmd.ProcessState.ExitCode(), true
}

// size is how much of something a test does: small in CI, long with FIREBREAK_TORTURE=1, or what the
// variable says.
func size(t *testing.T, variable string, small, long int) int {
	t.Helper()
	if text := os.Getenv(variable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s is %q, not a number above zero", variable, text)
		}
		return n
	}
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		return long
	}
	return small
}
