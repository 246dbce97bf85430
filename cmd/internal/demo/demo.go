package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/client"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/controlplane"
)

// Options say how the demo runs.
type Options struct {
	// Executable is the firebreak command that is shown.
	Executable string
	Out        io.Writer
	// Color paints the timeline.
	Color bool
	// Keep leaves everything running after the summary until ctx ends, and
	// says how to use it.
	Keep bool
}

// ErrUnproved says that a claim did not hold. The summary has told which.
var ErrUnproved = errors.New("not everything held")

// demo is one performance.
type demo struct {
	Options
	board   *board
	home    *home
	cluster *controlplane.Cluster
	child   *child
	// admin reads and sets up with every right; intruder has a stolen token.
	admin, intruder *kube.Client
	api             *client.Client
	alice, bob, ci  person
	told            map[string]uint64 // the newest record shown of each run
	noted           map[string]bool   // the notes of plans that were shown
}

// Run performs the demo until its end or that of ctx, and takes everything
// down. It gives [ErrUnproved] when a claim did not hold, and any other error
// when it could not go on.
func Run(ctx context.Context, o Options) (err error) {
	began := time.Now()
	d := &demo{Options: o, told: map[string]uint64{}, noted: map[string]bool{}}
	d.board = &board{painter: painter(o.Color), w: o.Out, now: time.Now}
	defer func() { err = errors.Join(err, d.down()) }()
	for _, act := range []func(context.Context) error{
		d.setUp, d.stolenToken, d.shell, d.protected, d.paused, d.wrote, d.record,
	} {
		if err := act(ctx); err != nil {
			return d.broken(ctx, err)
		}
	}
	failed := d.board.summary(time.Since(began))
	if failed > 0 {
		err = ErrUnproved
	}
	if o.Keep {
		d.keep(ctx)
		return err
	}
	fmt.Fprint(o.Out, next)
	return err
}

// next is what to do after it.
const next = `
What next:
  bin/firebreak demo --keep   the same, left running, to look at in a browser, with kubectl and with firebreak
  README.md                   your first rule and playbook, tried on files before they meet a cluster
  deploy/README.md            into a cluster, where it only watches until you say otherwise

`

// broken says what Firebreak last logged when the demo can't go on, unless it
// was told to stop.
func (d *demo) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if log := d.child.tail(20); log != "" {
		fmt.Fprintln(d.Out, "\nThe end of Firebreak's log:")
		d.board.text(log)
	}
	return err
}

// keep waits with everything running.
func (d *demo) keep(ctx context.Context) {
	fmt.Fprintf(d.Out, "\nEverything is left running.\n\n"+
		"In a browser (its warning is about the demo's own certificate):\n  %s/console/\n  sign in as alice, with the token that this file holds: %s\n"+
		"  One run holds a pod of payments still: open it under Runs, and undo it.\n\n"+
		"In another terminal:\n  export FIREBREAK_SERVER=%s FIREBREAK_SERVER_CA=%s\n  %s runs --token-file %s\n"+
		"  export KUBECONFIG=%s\n  kubectl get pods --all-namespaces --show-labels\n\n"+
		"Config, playbooks and log of Firebreak: %s\nctrl-c takes it all down.\n",
		d.home.url(), d.alice.tokenFile, d.home.url(), d.home.ca(), d.Executable, d.alice.tokenFile, d.cluster.Kubeconfig, d.home.dir)
	select {
	case <-ctx.Done():
	case <-d.cluster.Done():
	case <-d.child.done:
	}
}

// down stops what was started, the last first, and removes the files.
func (d *demo) down() error {
	var errs []error
	fmt.Fprintln(d.Out, "Taking everything down.")
	if d.child != nil {
		errs = append(errs, d.child.stop())
	}
	if d.cluster != nil {
		errs = append(errs, d.cluster.Stop())
	}
	if d.home != nil {
		errs = append(errs, os.RemoveAll(d.home.dir))
	}
	return errors.Join(errs...)
}
