package e2e

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/respond/action"
)

var (
	statefulSets = action.Resource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	daemonSets   = action.Resource{Group: "apps", Version: "v1", Resource: "daemonsets"}
	replicaSets  = action.Resource{Group: "apps", Version: "v1", Resource: "replicasets"}
	jobResource  = action.Resource{Group: "batch", Version: "v1", Resource: "jobs"}
	replicators  = action.Resource{Version: "v1", Resource: "replicationcontrollers"}
)

// workload is an object of a resource that makes n pods of a spec, with the label
// app=NAME. A Job makes one, and a DaemonSet one on each node that the spec lets
// it be on.
func workload(x action.Resource, name string, n int32, spec corev1.PodSpec) any {
	app := map[string]string{"app": name}
	of, meta, selector := template(), metav1.ObjectMeta{Name: name}, &metav1.LabelSelector{MatchLabels: app}
	of.Labels = app
	spec.Containers = of.Spec.Containers
	of.Spec = spec
	kind := func(kind string) metav1.TypeMeta {
		group := x.Group + "/v1"
		if x.Group == "" {
			group = "v1"
		}
		return metav1.TypeMeta{APIVersion: group, Kind: kind}
	}
	switch x {
	case statefulSets:
		return appsv1.StatefulSet{TypeMeta: kind("StatefulSet"), ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: &n, Selector: selector, Template: of, ServiceName: name}}
	case daemonSets:
		return appsv1.DaemonSet{TypeMeta: kind("DaemonSet"), ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: of}}
	case replicaSets:
		return appsv1.ReplicaSet{TypeMeta: kind("ReplicaSet"), ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Replicas: &n, Selector: selector, Template: of}}
	case jobResource:
		of.Spec.RestartPolicy = corev1.RestartPolicyNever
		return batchv1.Job{TypeMeta: kind("Job"), ObjectMeta: meta, Spec: batchv1.JobSpec{Template: of}}
	case replicators:
		return corev1.ReplicationController{TypeMeta: kind("ReplicationController"), ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Replicas: &n, Selector: app, Template: &of}}
	}
	return appsv1.Deployment{TypeMeta: kind("Deployment"), ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &n, Selector: selector, Template: of}}
}

// nowhere is a spec of pods that no node takes, so that nothing becomes of them.
func nowhere() corev1.PodSpec {
	return corev1.PodSpec{NodeSelector: map[string]string{"conformance": "nowhere"}}
}

// on gives a fixture with targets of other resources, which make no pods that
// run.
func (x fixture) on(all ...action.Resource) []fixture {
	var ways []fixture
	for _, at := range all {
		w := x
		w.at, w.ready, w.unseen = at, nil, nil
		w.make = func(c *trial, name string) { c.create(at, true, workload(at, name, 1, nowhere())) }
		ways = append(ways, w)
	}
	return ways
}

// ofOwners gives a fixture whose targets are pods of controllers of each kind.
func (x fixture) ofOwners(all ...action.Resource) []fixture {
	var ways []fixture
	for _, owner := range all {
		w := x
		w.ready = nil
		w.make = func(c *trial, name string) {
			// DaemonSets would put pods on other tests' nodes.
			spec := corev1.PodSpec{NodeSelector: map[string]string{"kubernetes.io/hostname": "worker-1"}}
			c.create(owner, true, workload(owner, name, 1, spec))
		}
		w.named = (*trial).podOf
		ways = append(ways, w)
	}
	return ways
}

// podOf is the name of the pod that a workload has made.
func (c *trial) podOf(name string) string {
	c.t.Helper()
	pod := ""
	eventually(c.t, "a pod of "+name, func(ctx context.Context) error {
		list, err := c.admin.CoreV1().Pods(c.ns).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		if err != nil || len(list.Items) != 1 {
			return fmt.Errorf("%d pods: %w", len(list.Items), cmpError(err))
		}
		p := list.Items[0]
		if p.Status.Phase != corev1.PodRunning && p.Status.Phase != corev1.PodSucceeded {
			return errors.New("does not run")
		}
		pod = p.Name
		return nil
	})
	return pod
}

// makeRevised makes one of two revisions, of which its controller knows.
func makeRevised(at action.Resource) func(c *trial, name string) {
	return func(c *trial, name string) {
		c.create(at, true, workload(at, name, 0, nowhere()))
		c.revisions(name, 1)
		c.patch(name, `{"spec":{"template":{"metadata":{"annotations":{"new":"x"}},"spec":{"containers":[{"name":"web","image":"registry.example/evil:2"}]}}}}`)
		c.revisions(name, 2)
	}
}

// revisions waits until there are so many of a StatefulSet or DaemonSet.
func (c *trial) revisions(name string, n int) {
	c.t.Helper()
	eventually(c.t, "revisions of "+name, func(ctx context.Context) error {
		list, err := c.admin.AppsV1().ControllerRevisions(c.ns).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
		if err == nil && len(list.Items) != n {
			err = fmt.Errorf("there are %d, not %d", len(list.Items), n)
		}
		return err
	})
}

// noticed waits until a controller has seen the newest spec.
func noticed(o *unstructured.Unstructured) error {
	if number(o, "status", "observedGeneration") != o.GetGeneration() {
		return errors.New("is not seen by its controller")
	}
	return nil
}
