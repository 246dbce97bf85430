package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// secondServer starts another API server on the store of the shared control
// plane, with flags of its own besides: as a control plane of several nodes has.
// It gives how a client reaches it, without a credential.
func secondServer(t *testing.T, flags ...string) *rest.Config {
	t.Helper()
	c := plane(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	_ = l.Close()
	args, dir := serverFlags(t, c.AuditLog), t.TempDir()
	path := args[0]
	args = slices.DeleteFunc(args[1:], func(a string) bool {
		return strings.HasPrefix(a, "--secure-port=") || strings.HasPrefix(a, "--audit-")
	})
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(path, append(append(args, "--secure-port="+port), flags...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.QPS, config.Burst = "https://127.0.0.1:"+port, 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second API server", func(ctx context.Context) error {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err != nil && cmd.ProcessState == nil && cmd.Process.Signal(syscall.Signal(0)) != nil {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			err = fmt.Errorf("%w: %s", err, text[max(0, len(text)-2000):])
		}
		return err
	})
	return rest.AnonymousClientConfig(config)
}

// serverFlags are the program of the API server with that audit log, and how it
// was called.
func serverFlags(t *testing.T, auditLog string) []string {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		if !slices.Contains(args, "--audit-log-path="+auditLog) {
			continue
		}
		program, err := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		if err != nil {
			t.Fatal(err)
		}
		return append([]string{program}, args[1:]...)
	}
	t.Fatal(errors.New("the API server's process is not found"))
	return nil
}
