// Command firebreak turns Kubernetes security signals into contained
// incidents. See the README at the top of the repository.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker for releases.
var version = "dev"

// exit is an error that says with which code the process ends, and whether
// anything is left to be said.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// commands are the subcommands, one file each.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newRun(), newRuns(), newIncidents(), newDead(), newReaders(), newApprovals(), newApprove(), newDeny(), newBreakGlass(), newReviews(), newUndo(), newHolds(), newExtend(), newKeep(), newStart(), newReceipt(), newEvidence(), newPause(), newResume(), newMode(), newPlaybooks(), newSilence(), newSlack(),
		newReplay(), newCheck(), newTest(), newExplain(), newModel(), newVerdict(), newImport(), newToken(), newRBAC(), newKinds(), newActions(), newSchema(), newDemo(), newContain(),
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "firebreak",
		Short:         "Automated incident response for Kubernetes",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(commands()...)
	return root
}

func main() {
	// After the first signal a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(code(newRoot().ExecuteContext(ctx)))
}

// code is the exit code of an error: 0 for none, 1 unless it says another.
func code(err error) int {
	if err == nil {
		return 0
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "firebreak:", text)
	}
	var e exit
	if errors.As(err, &e) {
		return e.code
	}
	return 1
}
