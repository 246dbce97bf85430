package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
)

// access is how a user gets in.
type access struct {
	Token      string `json:"token"`
	Kubeconfig string `json:"kubeconfig"`
}

// description is the one line that `up` prints when the cluster is ready.
type description struct {
	Kubeconfig string            `json:"kubeconfig"` // of the admin
	Server     string            `json:"server"`
	CA         string            `json:"ca"`
	AuditLog   string            `json:"audit_log"`
	PodLog     string            `json:"pod_log"` // what every pod's log reads, in CRI format
	Dir        string            `json:"dir"`
	Users      map[string]access `json:"users"`
	Nodes      []string          `json:"nodes"`
}

// up runs a cluster until it is told to stop.
func up() int {
	// The children die with the thread that starts them, so this must be one that stays.
	runtime.LockOSThread()
	opts, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if opts.stopOnStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	if err := runInDir(ctx, opts); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// runInDir makes the directory, runs the cluster in it, and removes it if it is temporary.
func runInDir(ctx context.Context, opts options) error {
	dir, err := filepath.Abs(opts.dir)
	if opts.dir == "" {
		dir, err = os.MkdirTemp("", "firebreak-cluster-")
	}
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	if opts.dir == "" && !opts.keep {
		defer os.RemoveAll(dir)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("use directory %s: it is not empty", dir)
	}
	const attempts = 3
	for attempt := 1; ; attempt++ {
		err := run(ctx, dir, opts)
		if attempt == attempts || !errors.Is(err, errPortTaken) {
			return err
		}
		if err := os.RemoveAll(filepath.Join(dir, "etcd")); err != nil {
			return fmt.Errorf("start again: %w", err)
		}
	}
}

// run starts a cluster on ports that are free now, prints its description, and waits until it is
// told to stop or a component ends by itself.
func run(ctx context.Context, dir string, opts options) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own executable: %w", err)
	}
	l, err := newLayout(dir, opts)
	if err != nil {
		return err
	}
	g := &group{exe: exe, dir: dir, fail: fail}
	defer g.stop()
	nodes, err := bringUp(ctx, g, l, opts)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(l.describe(nodes)); err != nil {
		return fmt.Errorf("print description: %w", err)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}
