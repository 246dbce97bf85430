// Command run records the audit log of a control plane at work, and of an attack on it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/firebreak-io/firebreak/test/record"
)

func main() {
	o := record.Options{Log: os.Stderr}
	flag.DurationVar(&o.Benign, "benign", time.Minute, "how long the cluster works before an attack")
	flag.DurationVar(&o.Calm, "calm", 10*time.Second, "how long it works after one")
	flag.BoolVar(&o.Attack, "attack", false, "attack it")
	flag.DurationVar(&o.Pace, "pace", time.Second, "how long between two acts of the attack")
	flag.StringVar(&o.Dir, "dir", ".", "`directory` for audit.ndjson and acts.json")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := record.Record(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
