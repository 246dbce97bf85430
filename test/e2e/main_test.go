// Package e2e holds the tests on a real control plane: the API server, its
// controllers and scheduler, with kwok as kubelets.
package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/test/command"
	"github.com/firebreak-io/firebreak/test/controlplane"
)

// shared is the one control plane of this package, started by the first test
// that asks for it. Tests keep apart by namespaces; a test that must have its
// own starts it itself.
var shared struct {
	once    sync.Once
	cluster *controlplane.Cluster
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(command.Remove(code))
}

// plane is the shared control plane: a node of the control plane and three
// workers. Without the time for it (-short) the test is skipped.
func plane(t *testing.T) *controlplane.Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a control plane, and builds it if the cache is cold")
	}
	shared.once.Do(func() {
		// It outlives the test that starts it.
		shared.cluster, shared.err = controlplane.Start(context.WithoutCancel(t.Context()), controlplane.Options{Nodes: 3, Log: os.Stderr})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster
}

// admin is a client with every right, with which tests set up and look.
func admin(t *testing.T) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", plane(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// namespace makes a namespace of the test's own, with the account that the
// API server asks of pods, and removes it afterwards.
func namespace(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	name := "t-" + strings.ToLower(rand.Text()[:8])
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := client.CoreV1().Namespaces().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "default service account of "+name, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return name
}

// patience is how long the tests wait for what has to come: no machine is so
// slow, only what hangs takes so long.
const patience = 4 * time.Minute

// eventually waits until check says nil, and fails with its last error when it
// never does.
func eventually(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}
