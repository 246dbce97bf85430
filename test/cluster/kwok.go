package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"sigs.k8s.io/kwok/pkg/config"
	"sigs.k8s.io/kwok/pkg/kwok/cmd"
	"sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

// kwok plays the kubelets, with the flags of its own program. It reads them in two passes, the
// first of which skips what it doesn't know.
func kwok() int {
	killGroupOnHangup()
	// Cobra adds these to every command, and the --version that Kubernetes puts there, which takes
	// a value, breaks kwok's own.
	pflag.CommandLine = pflag.NewFlagSet(os.Args[0], pflag.ExitOnError)
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ := log.InitFlags(signals.SetupSignalContext(), flags)
	ctx, err := config.InitFlags(ctx, flags)
	if err != nil {
		fmt.Fprintf(os.Stderr, "read kwok flags: %v\n", err)
		return 1
	}
	command := cmd.NewCommand(ctx)
	command.PersistentFlags().AddFlagSet(flags)
	if err := command.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "run kwok: %v\n", err)
		return 1
	}
	return 0
}

// killGroupOnHangup takes the commands that `kubectl exec` started down with kwok: `up` makes kwok
// the leader of a process group, and the kernel sends it SIGHUP when `up` is gone.
func killGroupOnHangup() {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		<-hangup
		_ = syscall.Kill(0, syscall.SIGKILL)
	}()
}
