package e2e

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

func init() {
	kept := []event.Result{event.ResultEnforced}
	store := func(c *trial, d *action.Deps) {
		d.Evidence = &evidence.Store{Blobs: evidence.Directory(c.t.TempDir())}
	}
	conform(fixture{kind: "pod.logs", at: podResource, make: makePod, ready: podReady, deps: store, result: kept})
	conform(fixture{
		kind: "pod.exec", at: podResource, make: makePod, ready: podReady, deps: store, result: kept,
		unknown: "whether a command ran is not known when its answer is lost: it is not run twice",
		config:  func(*trial) any { return &action.ExecConfig{Command: []string{"echo", "$HOME; hello"}} },
	})
	conform(fixture{
		kind: "pod.files", at: podResource, make: makePod, ready: podReady, deps: store, result: kept,
		config: func(*trial) any { return &action.FilesConfig{Paths: []string{"/etc/hostname"}} },
	})
	for _, kind := range []string{"pod.processes", "pod.capture"} {
		conform(fixture{
			kind: kind, at: podResource, make: makePod, ready: podReady, result: kept, moves: true, changes: true,
			deps: func(c *trial, d *action.Deps) {
				store(c, d)
				c.runEphemeral()
			},
		})
	}
	conform(fixture{
		kind: "pod.checkpoint", at: podResource, make: makePod, ready: podReady, deps: store,
		refused: "the API server hands nothing on to nodes on loopback",
	})
}

func dynamicClient(t *testing.T) dynamic.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", plane(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// runEphemeral says of ephemeral containers that they have ended, as a kubelet
// does: kwok knows nothing of them.
func (c *trial) runEphemeral() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.ctx()))
	over := make(chan struct{})
	c.t.Cleanup(func() {
		cancel()
		<-over
	})
	go func() {
		defer close(over)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			list, err := c.api(podResource, true).List(ctx, metav1.ListOptions{})
			if err != nil {
				continue // asked again at once
			}
			for _, o := range list.Items {
				c.endEphemeral(ctx, o)
			}
		}
	}()
}

func (c *trial) endEphemeral(ctx context.Context, o unstructured.Unstructured) {
	containers, _, _ := unstructured.NestedSlice(o.Object, "spec", "ephemeralContainers")
	statuses, _, _ := unstructured.NestedSlice(o.Object, "status", "ephemeralContainerStatuses")
	if len(containers) == len(statuses) {
		return
	}
	var all []corev1.ContainerStatus
	for _, x := range containers {
		name, _ := x.(map[string]any)["name"].(string)
		all = append(all, corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}})
	}
	body, err := json.Marshal(map[string]any{"status": map[string]any{"ephemeralContainerStatuses": all}})
	if err == nil {
		_, _ = c.api(podResource, true).Patch(ctx, o.GetName(), types.MergePatchType, body, metav1.PatchOptions{}, "status") // looked at again
	}
}
