package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// errPortTaken says that somebody took a port between its choice and its use: try again.
var errPortTaken = errors.New("port taken")

// process is one running component.
type process struct {
	name string
	log  string // file of its output
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // why it ended; read after done
}

// startProcess must be called from a goroutine that is locked to a thread that lives as long as
// the program: the kernel ties the child's death signal to the thread that started it.
func startProcess(name, log string, cmd *exec.Cmd) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close() // the child has its own copy
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, log: log, cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end, and after the grace kills it with all that it started.
func (p *process) stop(grace time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// failure tells why the process ended, with the end of its log. Read it after done.
func (p *process) failure() error {
	why := "exit status 0"
	if p.err != nil {
		why = p.err.Error()
	}
	end := tail(p.log, 4096)
	err := fmt.Errorf("run %s: it ended: %s, the end of its log:\n%s", p.name, why, end)
	if bytes.Contains(end, []byte("address already in use")) {
		return fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return err
}

// tail returns at most the last n bytes of a file, from the start of a line where it can.
func tail(path string, n int) []byte {
	data, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	if len(data) > n {
		data = data[len(data)-n:]
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			data = data[i+1:]
		}
	}
	return bytes.TrimSpace(data)
}
