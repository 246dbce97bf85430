package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/controlplane"
)

// alerts is how many pods one row is about.
const alerts = 50

// BenchmarkContainment posts one Falco alert for each of fifty pods to the whole service, as users run it, and
// reports the time from there until the pod's hold can be read at the API server: the policy is made before the
// pod's label is. Records, guards and verification are on; the budgets are raised, and the shipped rules and playbooks
// are there. The last row's pods are of one Deployment, which replaces each of them at once.
func BenchmarkContainment(b *testing.B) {
	if testing.Short() {
		b.Skip("starts a control plane, and builds it if the cache is cold")
	}
	plane, err := controlplane.Start(b.Context(), controlplane.Options{Nodes: 2, Log: os.Stderr})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			b.Error(err)
		}
	})
	for _, row := range []struct {
		name  string
		every time.Duration
		pods  func(*testing.B, kubernetes.Interface, string) []corev1.Pod
	}{
		{"one_a_second", time.Second, barePods},
		{"every_300ms", 300 * time.Millisecond, barePods},
		{"at_once", 0, barePods},
		{"at_once_of_a_Deployment", 0, deployedPods},
	} {
		n := 0
		b.Run(row.name, func(b *testing.B) {
			for b.Loop() {
				n++
				admin := adminOf(b, plane)
				pods := row.pods(b, admin, fmt.Sprintf("%s-%d", map[rune]string{'o': "slow", 'e': "brisk", 'a': "storm"}[rune(row.name[0])]+fmt.Sprint(len(row.name)), n))
				contain(b, plane, admin, pods, row.every)
			}
		})
	}
}

// contain runs a service, posts the alerts and reports.
func contain(b *testing.B, plane *controlplane.Cluster, admin kubernetes.Interface, pods []corev1.Pod, every time.Duration) {
	b.Helper()
	s := serve(b, plane)
	held := watchHolds(b, admin, pods[0].Namespace)
	before := s.cpu()
	posted := make(map[string]time.Time, len(pods))
	var group errgroup.Group
	for i, pod := range pods {
		if every > 0 && i > 0 {
			pause(b, every)
		}
		posted[pod.Name] = time.Now()
		group.Go(func() error { return s.alert(b.Context(), pod) })
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	seen := map[string]time.Time{}
	limit := time.After(2 * time.Minute)
	for len(seen) < len(pods) {
		select {
		case h := <-held:
			if _, known := seen[h.name]; !known {
				seen[h.name] = h.at
			}
		case <-limit:
			b.Fatalf("%d of %d pods are held", len(seen), len(pods))
		}
	}
	spent := s.cpu() - before
	var took []time.Duration
	for name, at := range posted {
		took = append(took, seen[name].Sub(at))
	}
	slices.Sort(took)
	b.ReportMetric(milliseconds(share(took, 0.5)), "p50-ms")
	b.ReportMetric(milliseconds(share(took, 0.95)), "p95-ms")
	b.ReportMetric(milliseconds(took[len(took)-1]), "last-ms")
	b.ReportMetric(milliseconds(spent)/float64(len(pods)), "cpu-ms/run")
	b.ReportMetric(0, "ns/op")
	s.settled(b, len(pods))
	s.stop(b)
	s.stages(b, posted)
}

// stages reports how far an alert had come when, by the times of the store.
func (s *served) stages(b *testing.B, posted map[string]time.Time) {
	b.Helper()
	store, err := bus.Open(b.Context(), bus.Options{Dir: s.dir + "/data"})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	found, begun, intended := durations(b, store, posted)
	b.ReportMetric(milliseconds(share(found, 0.5)), "found-p50-ms")
	b.ReportMetric(milliseconds(share(begun, 0.5)), "begun-p50-ms")
	b.ReportMetric(milliseconds(share(intended, 0.5)), "intent-p50-ms")
}

// hold is a pod that was seen held.
type hold struct {
	name string
	at   time.Time
}

// watchHolds tells of each pod of a namespace that is held, when the API server shows it.
func watchHolds(b *testing.B, admin kubernetes.Interface, namespace string) <-chan hold {
	b.Helper()
	w, err := admin.CoreV1().Pods(namespace).Watch(b.Context(), metav1.ListOptions{LabelSelector: event.AnnotationPrefix + "hold"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Stop)
	out := make(chan hold, 10*alerts)
	go func() {
		for e := range w.ResultChan() {
			if pod, ok := e.Object.(*corev1.Pod); ok {
				out <- hold{pod.Name, time.Now()}
			}
		}
	}()
	return out
}

func adminOf(b *testing.B, plane *controlplane.Cluster) kubernetes.Interface {
	b.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", plane.Kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	config.QPS, config.Burst = 500, 1000
	admin, err := kubernetes.NewForConfig(config)
	if err != nil {
		b.Fatal(err)
	}
	return admin
}

func pause(b *testing.B, d time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// share is the value below which a share of the sorted list is.
func share(list []time.Duration, of float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[min(int(of*float64(len(list))), len(list)-1)]
}
