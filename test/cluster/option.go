package main

import (
	"errors"
	"flag"
	"fmt"
	"time"
)

// options are the flags of `up`.
type options struct {
	nodes        int
	users        []user
	dir          string
	keep         bool
	stopOnStdin  bool
	timeout      time.Duration
	auditPolicy  string
	auditWebhook string
	auditBackoff time.Duration
	featureGates string
	runtime      string
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.IntVar(&o.nodes, "nodes", 3, "worker nodes; one of the control plane comes besides")
	flags.Func("user", "`name[:group,group]` of a user to make, repeatable", func(s string) error {
		u, err := parseUser(s)
		o.users = append(o.users, u)
		return err
	})
	flags.StringVar(&o.dir, "dir", "", "empty or new `directory` to work in, which is kept (default: a temporary one, which is removed)")
	flags.BoolVar(&o.keep, "keep", false, "keep the temporary directory")
	flags.BoolVar(&o.stopOnStdin, "stop-on-stdin-close", false, "stop when standard input is closed")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long the start may take")
	flags.StringVar(&o.auditPolicy, "audit-policy", "", "audit policy `file` (default: a built-in one)")
	flags.StringVar(&o.auditWebhook, "audit-webhook-config", "", "kubeconfig `file` of a webhook that gets the audit events")
	flags.DurationVar(&o.auditBackoff, "audit-webhook-initial-backoff", 2*time.Second,
		"wait before a batch is sent again; it grows by half four times, then the batch is dropped")
	flags.StringVar(&o.featureGates, "feature-gates", "", "feature gates of the API server, A=true,B=false")
	flags.StringVar(&o.runtime, "runtime-config", "", "APIs to turn on or off, group/version=true")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("read flags: unexpected argument %q", flags.Arg(0))
	}
	if o.nodes < 1 || o.nodes > 250 {
		return options{}, errors.New("read flags: --nodes must be 1 to 250: each has a /24 of 10.244.0.0/16")
	}
	return o, nil
}
