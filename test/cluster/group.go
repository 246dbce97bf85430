package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// group is the components that run together: when one ends by itself, the context ends, with the
// failure as its cause.
type group struct {
	exe   string
	dir   string
	fail  context.CancelCauseFunc
	procs []*process
}

// start runs a subcommand of this executable, its output going to logs/NAME.log. The same thread
// rule as for startProcess holds.
func (g *group) start(name string, args ...string) error {
	cmd := exec.Command(g.exe, append([]string{name}, args...)...)
	last := syscall.SIGKILL
	if name == "kwok" {
		last = syscall.SIGHUP // see killGroupOnHangup
	}
	cmd.SysProcAttr = isolated(last)
	cmd.Dir = g.dir
	// Commands of `kubectl exec` inherit this environment, so it holds nothing of the caller's.
	// HOME keeps kwok from reading a configuration of the user's.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(g.dir, "exec")}
	p, err := startProcess(name, filepath.Join(g.dir, "logs", name+".log"), cmd)
	if err != nil {
		return err
	}
	g.procs = append(g.procs, p)
	go func() {
		<-p.done
		g.fail(p.failure())
	}()
	return nil
}

// stop ends the components: those that were started last first, but the clients of the API server
// all at once. The grace is short: nothing here has data to save.
func (g *group) stop() {
	var clients sync.WaitGroup
	for _, p := range g.procs[min(2, len(g.procs)):] {
		clients.Go(func() { p.stop(2 * time.Second) })
	}
	clients.Wait()
	for i := min(2, len(g.procs)) - 1; i >= 0; i-- {
		g.procs[i].stop(5 * time.Second)
	}
}
