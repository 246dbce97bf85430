// Command up builds and starts a Kubernetes control plane on this machine and runs it until ctrl-c.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/firebreak-io/firebreak/test/controlplane"
)

func main() {
	opts := controlplane.Options{Log: os.Stderr}
	flag.IntVar(&opts.Nodes, "nodes", 3, "worker nodes")
	flag.Func("user", "`name[:group,group]` of a user to make, repeatable", func(s string) error {
		opts.Users = append(opts.Users, s)
		return nil
	})
	flag.StringVar(&opts.AuditWebhook, "audit-webhook-config", "", "kubeconfig `file` of a webhook that gets the audit events")
	flag.StringVar(&opts.AuditPolicy, "audit-policy", "", "audit policy `file`")
	flag.StringVar(&opts.Dir, "dir", "", "empty or new `directory` to work in, which is kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, opts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts the cluster, says how to get in, and waits for the end of either.
func run(ctx context.Context, opts controlplane.Options) error {
	cluster, err := controlplane.Start(ctx, opts)
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%s\n", cluster.Kubeconfig)
	for name, user := range cluster.Users {
		fmt.Printf("# %s: %s\n", name, user.Kubeconfig)
	}
	fmt.Printf("# audit log: %s\n# ctrl-c stops the cluster\n", cluster.AuditLog)
	select {
	case <-ctx.Done():
		return cluster.Stop()
	case <-cluster.Done():
		return cluster.Err()
	}
}
