// Package controlplane builds and starts a real Kubernetes control plane on this machine, for
// tests and the demo: see test/cluster, which it runs as a child process.
package controlplane

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// User is how somebody gets into the cluster.
type User struct {
	Token      string `json:"token"`
	Kubeconfig string `json:"kubeconfig"` // file
}

// Cluster is a running control plane with its nodes. It runs until Stop, or until the program that
// started it is gone.
type Cluster struct {
	Kubeconfig string          `json:"kubeconfig"` // file of the admin's
	Server     string          `json:"server"`     // URL of the API server
	CA         string          `json:"ca"`         // file of the certificate that signs the server's
	AuditLog   string          `json:"audit_log"`  // file, one JSON event a line
	PodLog     string          `json:"pod_log"`    // file in CRI format that every pod shows as its log
	Dir        string          `json:"dir"`        // everything is below it; logs/ holds the components' logs
	Users      map[string]User `json:"users"`      // by name, admin among them
	Nodes      []string        `json:"nodes"`      // the one of the control plane first

	cmd   *exec.Cmd
	stdin io.Closer
	errs  bytes.Buffer // read after done
	done  chan struct{}
	err   error // why it ended; read after done
}

// Start builds the cluster if need be, starts it and returns when all nodes are ready and pods can
// be made. The context counts until then; it doesn't end the cluster later. If the cluster can't
// start, the error names the component and holds the end of its log, and nothing is left behind.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	path, err := Build(ctx, opts.Log)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		c, err := start(ctx, path, opts)
		// Between the choice of a port and the component that listens at it, anybody may take it.
		if err == nil || try == 3 || opts.Dir != "" || !strings.Contains(err.Error(), "address already in use") {
			return c, err
		}
		fmt.Fprintf(opts.Log, "starting the cluster once more: %v\n", err)
	}
}

// start starts a cluster that is built.
func start(ctx context.Context, path string, opts Options) (*Cluster, error) {
	var err error
	c := &Cluster{cmd: exec.Command(path, opts.args()...), done: make(chan struct{})}
	// A group of its own: ctrl-c in a terminal is for the caller, who then stops the cluster.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.cmd.Stderr = &c.errs
	line := make(chan []byte, 1)
	c.cmd.Stdout = &firstLine{to: line}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	select {
	case text := <-line:
		err = json.Unmarshal(text, c)
	case <-c.done:
		err = c.Err()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = c.Stop() // the first error says more
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	return c, nil
}

// Done is closed when the cluster has ended, by Stop or by itself.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Err waits for the end of the cluster. It is nil after an end that was asked for, else it names
// the component that failed, with the end of its log.
func (c *Cluster) Err() error {
	<-c.done
	if c.err != nil {
		return fmt.Errorf("run cluster: %w: %s", c.err, bytes.TrimSpace(c.errs.Bytes()))
	}
	return nil
}

// Stop ends the cluster and waits until its processes and its temporary directory are gone. It may
// be called more than once. Its error is that of Err.
func (c *Cluster) Stop() error {
	_ = c.stdin.Close() // the cluster takes that as the word to stop
	for _, next := range []func(){
		func() { _ = c.cmd.Process.Signal(syscall.SIGTERM) },
		func() { _ = c.cmd.Process.Kill() },
	} {
		patience := time.NewTimer(15 * time.Second)
		select {
		case <-c.done:
			patience.Stop()
			return c.Err()
		case <-patience.C:
			next()
		}
	}
	return c.Err()
}

// firstLine hands on the first line that is written to it and drops the rest.
type firstLine struct {
	to   chan<- []byte
	part []byte
	sent bool
}

// Write never fails.
func (l *firstLine) Write(p []byte) (int, error) {
	if l.sent {
		return len(p), nil
	}
	l.part = append(l.part, p...)
	if advance, text, _ := bufio.ScanLines(l.part, false); advance > 0 {
		l.sent = true
		l.to <- text
	}
	return len(p), nil
}
