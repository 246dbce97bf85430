package controlplane_test

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/controlplane"
	"github.com/firebreak-io/firebreak/test/wait"
)

const deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{
	"replicas":2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
	"spec":{"containers":[{"name":"web","image":"nginx:1.29"}]}}}}`

const service = `{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{
	"selector":{"app":"web"},"ports":[{"port":80}]}}`

// start starts a cluster for a test, which must leave nothing behind.
func start(t *testing.T, opts controlplane.Options) *controlplane.Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane, and builds it if the cache is cold")
	}
	opts.Log = t.Output()
	if _, err := controlplane.Build(t.Context(), opts.Log); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c, err := controlplane.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	// It says nothing of a machine that does other work as well: 3 to 4 s are usual.
	t.Logf("started in %s", time.Since(began).Round(10*time.Millisecond))
	return c
}

func TestClusterIsReal(t *testing.T) {
	c := start(t, controlplane.Options{Nodes: 2, Users: []string{"alice:devs"}})
	admin, alice := clientOf(t, c, "admin"), clientOf(t, c, "alice")

	admin.get("/readyz").wants(http.StatusOK)
	alice.get("/api/v1/namespaces/default/secrets").wants(http.StatusForbidden)
	admin.get("/api/v1/namespaces/kube-system/secrets").wants(http.StatusOK)
	if got := strings.Join(c.Nodes, " "); got != "control-plane worker-1 worker-2" {
		t.Errorf("nodes are %q", got)
	}

	admin.post("/apis/apps/v1/namespaces/default/deployments", deployment).wants(http.StatusCreated)
	admin.post("/api/v1/namespaces/default/services", service).wants(http.StatusCreated)
	pods := admin.readyPods("default", "app=web", 2)
	for _, pod := range pods {
		if pod.Spec.NodeName == "control-plane" {
			t.Errorf("pod %s runs on the tainted node", pod.Metadata.Name)
		}
		if pod.Status.PodIP == "" || !strings.HasPrefix(pod.Status.ContainerStatuses[0].ContainerID, "containerd://") {
			t.Errorf("pod %s has no address or no container id: %+v", pod.Metadata.Name, pod.Status)
		}
	}
	wait.Until(t, "the slice has both addresses", func() bool {
		body := admin.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=web").body
		return bytes.Contains(body, []byte(pods[0].Status.PodIP)) && bytes.Contains(body, []byte(pods[1].Status.PodIP))
	})

	pod := "/api/v1/namespaces/default/pods/" + pods[0].Metadata.Name
	if out := admin.exec(pod + "/exec?stdout=true&command=echo&command=hello"); !strings.Contains(out, "hello\n") {
		t.Errorf("exec printed %q, want hello", out)
	}
	if out := admin.get(pod + "/log").wants(http.StatusOK).body; !bytes.Contains(out, []byte("started")) {
		t.Errorf("the pod's log reads %q", out)
	}
	admin.delete(pod).wants(http.StatusOK)
	wait.Until(t, "the pod is gone and replaced", func() bool {
		return admin.get(pod).code == http.StatusNotFound && len(admin.readyPods("default", "app=web", 2)) == 2
	})

	for _, want := range [][]string{
		{`"username":"alice"`, `"resource":"secrets"`, `"code":403`, `"authorization.k8s.io/decision":"forbid"`},
		{`"username":"admin"`, `"verb":"get"`, `"subresource":"exec"`, `"code":101`},
		{`replicaset-controller"`, `"verb":"create"`, `"resource":"pods"`, `"level":"RequestResponse"`},
	} {
		wait.Until(t, "the audit log has "+strings.Join(want, " "), func() bool { return hasLine(t, c.AuditLog, want...) })
	}

	stopsCleanly(t, c)
}

// A program that is killed can't tell its cluster to stop: the kernel must.
func TestNothingSurvivesKill(t *testing.T) {
	c := start(t, controlplane.Options{Nodes: 1, Dir: filepath.Join(t.TempDir(), "cluster")})
	admin := clientOf(t, c, "admin")
	admin.post("/apis/apps/v1/namespaces/default/deployments", deployment).wants(http.StatusCreated)
	pod := admin.readyPods("default", "app=web", 2)[0]
	// A command that outlives its connection unless somebody ends it; its argument is how to find it.
	command := "&command=" + url.QueryEscape("echo runs; sleep 1000; : "+c.Dir)
	at := "/api/v1/namespaces/default/pods/" + pod.Metadata.Name + "/exec?stdout=true&command=sh&command=-c"
	if out := admin.exec(at + command); out != "runs\n" {
		t.Fatalf("the command printed %q", out)
	}
	running := processes(t, c.Dir)
	if len(running) < 7 { // up, five components, sh
		t.Fatalf("%d processes run: %v", len(running), running)
	}
	kill(t, running, " up ")
	wait.Until(t, "all processes are gone", func() bool { return len(processes(t, c.Dir)) == 0 })
	if err := c.Stop(); err == nil {
		t.Error("stop says nothing of the kill")
	}
}

func stopsCleanly(t *testing.T, c *controlplane.Cluster) {
	t.Helper()
	if n := len(processes(t, c.Dir)); n < 5 {
		t.Errorf("only %d processes name the directory: the look for leftovers is blind", n)
	}
	began := time.Now()
	if err := c.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	t.Logf("stopped in %s", time.Since(began).Round(10*time.Millisecond))
	if left := processes(t, c.Dir); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if _, err := os.Stat(c.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("directory is left: %v", err)
	}
}
