//go:build linux

package torture

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/wait"
)

// process is a child of the tests. It dies with them.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	log  string
	// ended is closed when it has ended.
	ended chan struct{}
	// meant says that the tests ended it.
	mu    sync.Mutex
	meant bool
}

// spawn starts a program with its log in a file that later lives of it go on with. Output is nil but for
// children that speak to the tests.
func spawn(t *testing.T, name, logDir string, output *os.File, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, log: filepath.Join(logDir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = log
	if output != nil {
		p.cmd.Stdout = output
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended says its state
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// child starts this test binary in a role.
func child(t *testing.T, role, logDir string, output *os.File, args ...string) *process {
	t.Helper()
	return spawn(t, role, logDir, output, append([]string{roleVar + "=" + role}, args...), os.Args[0])
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // it may have ended

// kill ends it with SIGKILL, also while it is stopped, and waits for its end.
func (p *process) kill() {
	p.mean()
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// stop ends it as Kubernetes does.
func (p *process) stop() {
	p.mean()
	p.signal(syscall.SIGTERM)
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("%s ended with %s:\n%s", p.name, p.cmd.ProcessState, p.tail())
	}
}

func (p *process) mean() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive() {
		p.meant = true
	}
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// died says that it ended by itself.
func (p *process) died() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.alive() && !p.meant
}

// rss is its resident memory in bytes, 0 when it has ended.
func (p *process) rss() int64 {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(text), " kB"), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// tail is the end of its log.
func (p *process) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-16<<10):])
}

// patience is how long the tests wait for what has to come: no machine is so
// slow, only what hangs takes so long.
const patience = 20 * time.Minute

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	within(t, patience, what, ok)
}

// within is eventually with a limit of its own.
func within(t *testing.T, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	if !wait.Within(patience, ok) {
		t.Fatalf("waited %s in vain until %s", patience, what)
	}
}

// still says that no thread of it runs: each is stopped, or waits for the disk and will be stopped then.
func (p *process) still() bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		return false
	}
	for _, task := range tasks {
		data, err := os.ReadFile(task)
		if err != nil {
			return false
		}
		// PID (NAME) STATE …, and the name may hold anything.
		_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')'):]), " ")
		if rest == "" || !strings.ContainsRune("TtDZ", rune(rest[0])) {
			return false
		}
	}
	return true
}
