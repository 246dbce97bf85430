package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/command"
)

func TestMain(m *testing.M) {
	os.Exit(command.Remove(m.Run()))
}

// costs skips a test without the time for it (-short).
func costs(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane, and builds it if the cache is cold")
	}
}

// firebreak is the command that the demo shows.
func firebreak(t *testing.T) string {
	t.Helper()
	costs(t)
	return command.Path(t)
}

// TestDemo: everything holds, each line is told, and what it says of looking at
// it afterwards is true.
func TestDemo(t *testing.T) {
	executable := firebreak(t)
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	kept, ended := make(chan struct{}), make(chan error, 1)
	out := &trigger{word: "ctrl-c takes it all down", pull: sync.OnceFunc(func() { close(kept) })}
	began := time.Now()
	go func() { ended <- Run(ctx, Options{Executable: executable, Out: out, Keep: true}) }()
	select {
	case <-kept:
		t.Logf("took %s", time.Since(began).Round(time.Second))
		t.Run("left running", func(t *testing.T) { look(t, out.said()) })
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	case err := <-ended:
		t.Errorf("it ended with %v", err)
	}
	text := out.said()
	t.Log(text)
	if strings.Contains(text, "\x1b") || strings.Contains(text, "✗") {
		t.Error("the plain output has colours, or a claim that does not hold")
	}
	for _, want := range []string{
		`attack     ci:deployer lists the secrets of payments: 1,`,
		`attack     ci:deployer makes pod payments/node-shell`,
		`event      API server audit: pods/payments/node-shell, kubectl/\S+ \S+ by system:serviceaccount:ci:deployer`,
		`finding    (privileged-pod|sensitive-host-path) \(high, trust T3\)`,
		`plan       isolate planned: quarantine pods/payments/node-shell`,
		`1 of group/security must agree`,
		`because guard mode of step isolate asks: `,
		`firebreak: bob may not approve playbooks\.firebreak\.io`,
		`firebreak: your vote does not count: who started the run or is named in the finding cannot decide on it`,
		`approval   alice approves plan`,
		`action     isolate done: applied-unverified`,
		`alert      Falco: Terminal shell in container in shop/web-`,
		`labels -app -pod-template-hash -tier \+firebreak\.io/hold=quarantine`,
		`✓ The pod lost the labels`,
		`undo       isolate: undone`,
		`✓ Undone, the pod has exactly the labels`,
		`action     isolate is denied: protected: namespace kube-system is protected`,
		`plan       isolate waits: pause: paused by alice`,
		`✓ After the resume`,
		`holding  contain-malicious-program`,
		`16 of 16 hold`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("nothing reads %q", want)
		}
	}
	nothingLeft(t)
}

// Ctrl-c in the middle takes everything down.
func TestDemoInterrupted(t *testing.T) {
	executable := firebreak(t)
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &trigger{word: "must agree", pull: cancel}
	if err := Run(ctx, Options{Executable: executable, Out: out}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was interrupted", err)
	}
	if text := out.said(); strings.Contains(text, "What was proved") || strings.Contains(text, "✗") {
		t.Errorf("it went on:\n%s", text)
	}
	nothingLeft(t)
}

// A Firebreak that does not start is an error that shows what it said.
func TestDemoBroken(t *testing.T) {
	costs(t)
	t.Setenv("TMPDIR", t.TempDir())
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho out of order\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := Run(t.Context(), Options{Executable: broken, Out: &out})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "out of order") {
		t.Errorf("the log is not shown:\n%s", out.String())
	}
	nothingLeft(t)
}

// nothingLeft says that the directories are gone, and with them what ran in
// them: a process that is left writes its log there.
func nothingLeft(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "firebreak-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// trigger pulls when a word is written.
type trigger struct {
	mu   sync.Mutex
	text bytes.Buffer
	word string
	pull func()
}

// said is all that was written.
func (w *trigger) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *trigger) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Contains(p, []byte(w.word)) {
		w.pull()
	}
	return w.text.Write(p)
}
