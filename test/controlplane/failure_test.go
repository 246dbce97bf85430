package controlplane_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/controlplane"
	"github.com/firebreak-io/firebreak/test/port"
	"github.com/firebreak-io/firebreak/test/wait"
)

func TestFailureNamesComponent(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("kind: Nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	c, err := controlplane.Start(t.Context(), controlplane.Options{AuditPolicy: policy, Log: t.Output()})
	if err == nil {
		_ = c.Stop()
		t.Fatal("a cluster with a broken audit policy started")
	}
	for _, want := range []string{"kube-apiserver", "Nonsense"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error doesn't hold %q: %v", want, err)
		}
	}
}

func TestStartObeysContext(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	if _, err := controlplane.Build(t.Context(), t.Output()); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "cluster")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := controlplane.Start(ctx, controlplane.Options{Dir: dir}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("start returned %v, want the deadline", err)
	}
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func TestDeathNamesComponent(t *testing.T) {
	c := start(t, controlplane.Options{Nodes: 1})
	const said = "Starting Kubernetes Scheduler"
	wait.Until(t, "the scheduler says that it starts", func() bool { return hasLine(t, filepath.Join(c.Dir, "logs", "kube-scheduler.log"), said) })
	kill(t, processes(t, c.Dir), " kube-scheduler ")
	err := c.Err()
	if err == nil {
		t.Fatal("the cluster ended without an error")
	}
	for _, want := range []string{"kube-scheduler", "killed", said} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error doesn't hold %q: %v", want, err)
		}
	}
	if left := processes(t, c.Dir); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

// The receiver may come up after the API server: the first batches are sent again.
func TestAuditReachesLateWebhook(t *testing.T) {
	addr, err := port.Free()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "webhook")
	text := `{"kind":"Config","apiVersion":"v1","current-context":"w","contexts":[{"name":"w","context":{"cluster":"w","user":"w"}}],
		"clusters":[{"name":"w","cluster":{"server":"http://` + addr + `/audit"}}],"users":[{"name":"w"}]}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, controlplane.Options{Nodes: 1, Users: []string{"alice"}, AuditWebhook: config})
	early, late := make(chan struct{}, 100), make(chan struct{}, 100)
	clientOf(t, c, "alice").get("/api/v1/namespaces/early/secrets").wants(http.StatusForbidden)

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "/namespaces/early/secrets") {
			early <- struct{}{}
		}
		if strings.Contains(string(body), "/namespaces/late/secrets") {
			late <- struct{}{}
		}
	}))
	server.Listener.Close()
	if server.Listener, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	server.Start()
	defer server.Close()
	clientOf(t, c, "alice").get("/api/v1/namespaces/late/secrets").wants(http.StatusForbidden)
	for name, came := range map[string]chan struct{}{"early": early, "late": late} {
		select {
		case <-came:
		case <-time.After(4 * time.Minute):
			t.Errorf("the %s request never came to the webhook", name)
		}
	}
}
