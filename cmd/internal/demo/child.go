package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// child is the `firebreak run` of the demo, a process of its own.
type child struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
	err  error // read after done
}

// startChild starts `firebreak run` with the config of h and waits until it
// says that it is ready.
func startChild(ctx context.Context, executable string, h *home) (*child, error) {
	log, err := os.OpenFile(h.at("firebreak.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start firebreak: %w", err)
	}
	defer log.Close() // the child has its own
	c := &child{cmd: exec.Command(executable, "run", "--config", h.at("config.yaml")), log: log.Name(), done: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = log, log
	// A group of its own: ctrl-c in a terminal is for the demo, which then
	// stops what it started, in order.
	c.cmd.SysProcAttr = attributes()
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start firebreak: %w", err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	err = until(ctx, "firebreak is ready", func(ctx context.Context) error { return c.ready(ctx, h.health) })
	if err != nil {
		return c, err
	}
	return c, nil
}

func (c *child) ready(ctx context.Context, address string) error {
	select {
	case <-c.done:
		return &final{fmt.Errorf("it ended: %w", c.err)}
	default:
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// stop ends the child as Kubernetes would: SIGTERM, and after its time SIGKILL.
func (c *child) stop() error {
	if c == nil {
		return nil
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	select {
	case <-c.done:
	case <-late.C:
		_ = c.cmd.Process.Kill()
		<-c.done
		return errors.New("stop firebreak: it did not stop by itself")
	}
	if c.err != nil {
		return fmt.Errorf("stop firebreak: %w", c.err)
	}
	return nil
}

// tail is the end of the child's log.
func (c *child) tail(lines int) string {
	if c == nil {
		return ""
	}
	data, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	all := strings.SplitAfter(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}
