package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/runlog"
	"github.com/firebreak-io/firebreak/test/controlplane"
	"github.com/firebreak-io/firebreak/test/wait"
)

const markBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: isolate}
spec:
  when: finding.rule == "shell"
  mode: act
  steps:
    - name: isolate
      action: pod.quarantine
      undo_after: 1h
      at_end: restore
`

// BenchmarkFindingToAction stores findings about pods of a real control plane at a steady rate (0 is all
// at once), and reports how long it took from there until the run was begun and until the pod was
// quarantined, by the times of the store.
func BenchmarkFindingToAction(b *testing.B) {
	if testing.Short() {
		b.Skip("starts a control plane, and builds it if the cache is cold")
	}
	plane, err := controlplane.Start(b.Context(), controlplane.Options{Nodes: 1, Log: os.Stderr})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			b.Error(err)
		}
	})
	for i, rate := range []int{1, 10, 100, 0} {
		b.Run(strconv.Itoa(rate)+"_per_s", func(b *testing.B) {
			for b.Loop() {
				arrive(b, plane, fmt.Sprintf("bench%d", i), rate, map[int]int{1: 15, 10: 100, 100: 300, 0: 300}[rate])
			}
		})
	}
}

// BenchmarkBare reads and patches as many pods of the same control plane as come all at once above, sixteen at a
// time, with nothing around it: what the API server beside it can do at all.
func BenchmarkBare(b *testing.B) {
	if testing.Short() {
		b.Skip("starts a control plane, and builds it if the cache is cold")
	}
	plane, err := controlplane.Start(b.Context(), controlplane.Options{Nodes: 1, Log: os.Stderr})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			b.Error(err)
		}
	})
	config, err := clientcmd.BuildConfigFromFlags("", plane.Kubeconfig)
	if err != nil {
		b.Fatal(err)
	}
	config.QPS, config.Burst = 5000, 10_000
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		const pods = 300
		list := manyPods(b, plane, fmt.Sprint("bare", n), pods)
		n++
		began := time.Now()
		var group errgroup.Group
		group.SetLimit(16)
		for _, pod := range list {
			group.Go(func() error {
				api := client.CoreV1().Pods(pod.Namespace)
				if _, err := api.Get(b.Context(), pod.Name, metav1.GetOptions{}); err != nil {
					return err
				}
				patch := []byte(`{"metadata":{"labels":{"firebreak.io/hold":"quarantine","app":null},"annotations":{"firebreak.io/hold":"{}"}}}`)
				_, err := api.Patch(b.Context(), pod.Name, types.MergePatchType, patch, metav1.PatchOptions{})
				return err
			})
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(pods/time.Since(began).Seconds(), "pods/s")
		b.ReportMetric(0, "ns/op")
	}
}

func arrive(b *testing.B, plane *controlplane.Cluster, namespace string, rate, n int) {
	b.Helper()
	pods := manyPods(b, plane, namespace, n)
	store, err := bus.Open(b.Context(), bus.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	stop := responding(b, plane, store)
	defer stop()
	var tick <-chan time.Time
	if rate > 0 {
		ticker := time.NewTicker(time.Second / time.Duration(rate))
		defer ticker.Stop()
		tick = ticker.C
	}
	for i, pod := range pods {
		now := time.Now().UTC()
		subject := event.PodRef(namespace, pod.Name)
		subject.UID = string(pod.UID)
		f := event.Finding{
			ID: event.FindingID("shell", pod.Name, "bench"), Rule: "shell", Severity: event.SeverityHigh, Trust: event.TrustRuntime,
			Source: event.SourceFalco, Subject: subject, Time: now, Received: now,
		}
		data, err := json.Marshal(f)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := store.Create(b.Context(), bus.SubjectFinding(f.ID), data); err != nil {
			b.Fatal(err)
		}
		if tick != nil && i < n-1 {
			<-tick
		}
	}
	report(b, store, n)
}

// responding runs a responder, and gives the function that ends it.
func responding(b *testing.B, plane *controlplane.Cluster, store *bus.Bus) (stop func()) {
	b.Helper()
	docs, err := conf.Documents("book.yaml", []byte(markBook))
	if err != nil {
		b.Fatal(err)
	}
	book, err := respond.ParsePlaybook(docs[0])
	if err != nil {
		b.Fatal(err)
	}
	client, err := kube.New(kube.Options{Kubeconfig: plane.Kubeconfig})
	if err != nil {
		b.Fatal(err)
	}
	cluster, control := kube.NewCache(client), respond.NewControl(store, event.ModeAct)
	worker, err := respond.NewWorker(b.Context(), respond.WorkerOptions{
		Alone: true, Bus: store, Books: []*respond.Playbook{book}, Control: control, Telemetry: telemetry.Nop(), Logger: slog.New(slog.DiscardHandler),
		Executor: &respond.Executor{
			Deps: action.Deps{Cluster: cluster, Logger: slog.New(slog.DiscardHandler)}, Recent: kube.Recent{Cache: cluster},
			Guards: guard.New(guard.Options{Control: control, Cluster: kube.Recent{Cache: cluster}}),
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

func manyPods(b *testing.B, plane *controlplane.Cluster, namespace string, n int) []corev1.Pod {
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
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := admin.CoreV1().Namespaces().Create(b.Context(), ns, metav1.CreateOptions{}); err != nil && !strings.Contains(err.Error(), "exists") {
		b.Fatal(err)
	}
	wait.Until(b, "the namespace has its account", func() bool {
		_, err := admin.CoreV1().ServiceAccounts(namespace).Get(b.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	pods := make([]corev1.Pod, n)
	for i := range pods {
		pod, err := admin.CoreV1().Pods(namespace).Create(b.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{GenerateName: "p", Labels: map[string]string{"app": "web"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
		}, metav1.CreateOptions{})
		if err != nil {
			b.Fatal(err)
		}
		pods[i] = *pod
	}
	return pods
}

// report reads the times of the store.
func report(b *testing.B, store *bus.Bus, n int) {
	b.Helper()
	log := runlog.New(store, 0)
	wait.Until(b, "all runs hold", func() bool {
		held := 0
		for rec, err := range log.All(b.Context()) {
			if err == nil && rec.Run.State == event.RunHolding {
				held++
			}
		}
		return held == n
	})
	var begun, done []time.Duration
	var first, last time.Time
	for rec, err := range log.All(b.Context()) {
		if err != nil {
			b.Fatal(err)
		}
		m, err := store.Last(b.Context(), bus.SubjectFinding(rec.Run.Finding.ID))
		if err != nil {
			b.Fatal(err)
		}
		if first.IsZero() || m.Time.Before(first) {
			first = m.Time
		}
		acted := false
		for h, err := range store.History(b.Context(), bus.SubjectRun(rec.Run.ID)) {
			if err != nil {
				b.Fatal(err)
			}
			var run event.Run
			if err := json.Unmarshal(h.Data, &run); err != nil {
				b.Fatal(err)
			}
			if run.Record == 1 {
				begun = append(begun, h.Time.Sub(m.Time))
				if h.Time.After(last) {
					last = h.Time
				}
			}
			if !acted && run.Steps[0].Receipt != nil {
				acted = true
				done = append(done, h.Time.Sub(m.Time))
			}
		}
	}
	slices.Sort(begun)
	slices.Sort(done)
	at := func(list []time.Duration, share float64) float64 {
		return float64(list[min(int(share*float64(len(list))), len(list)-1)].Microseconds()) / 1000
	}
	b.ReportMetric(at(begun, 0.5), "begun-p50-ms")
	b.ReportMetric(at(done, 0.5), "p50-ms")
	b.ReportMetric(at(done, 0.95), "p95-ms")
	b.ReportMetric(at(done, 0.99), "p99-ms")
	b.ReportMetric(float64(n)/last.Sub(first).Seconds(), "runs/s")
	b.ReportMetric(0, "ns/op")
}
