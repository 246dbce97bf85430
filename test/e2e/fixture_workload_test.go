package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/respond/action"
)

var (
	deployments     = action.Resource{Group: "apps", Version: "v1", Resource: "deployments"}
	cronJobs        = action.Resource{Group: "batch", Version: "v1", Resource: "cronjobs"}
	serviceAccounts = action.Resource{Version: "v1", Resource: "serviceaccounts"}
	roleBindings    = action.Resource{Group: rbacv1.GroupName, Version: "v1", Resource: "rolebindings"}
	clusterBindings = action.Resource{Group: rbacv1.GroupName, Version: "v1", Resource: "clusterrolebindings"}
)

func init() {
	moved := fixture{at: deployments, make: makeDeployment, ready: rolledOut, trim: revisionTrim, moves: true}
	scale := moved
	scale.kind = "workload.scale"
	scale.held = func(_ *trial, o *unstructured.Unstructured) string {
		return want(fmt.Sprint(number(o, "spec", "replicas")), "0", "replicas")
	}
	scale.meddle = func(c *trial, name string) { c.patch(name, `{"metadata":{"labels":{"x":"y"}},"spec":{"replicas":2}}`) }
	scale.kept = func(_ *trial, o *unstructured.Unstructured) string {
		return want(fmt.Sprint(number(o, "spec", "replicas"))+o.GetLabels()["x"], "2y", "replicas and label")
	}
	scale.rare = rarely("get list patch", "statefulsets.apps")
	scale.ways = scale.on(statefulSets)
	conform(scale)

	paused := moved
	paused.kind = "workload.pause"
	paused.held = func(_ *trial, o *unstructured.Unstructured) string {
		on, _, _ := unstructured.NestedBool(o.Object, "spec", "paused")
		return want(fmt.Sprint(on), "true", "paused")
	}
	paused.meddle = func(c *trial, name string) { c.patch(name, `{"metadata":{"labels":{"x":"y"}}}`) }
	paused.kept = func(_ *trial, o *unstructured.Unstructured) string { return want(o.GetLabels()["x"], "y", "label") }
	conform(paused)

	restarted := moved
	restarted.kind = "workload.restart"
	restarted.held = func(_ *trial, o *unstructured.Unstructured) string {
		if text(o, "spec", "template", "metadata", "annotations", action.RestartKey) == "" {
			return "it is not restarted"
		}
		return ""
	}
	restarted.rare = rarely("get patch", "statefulsets.apps", "daemonsets.apps")
	restarted.ways = restarted.on(statefulSets, daemonSets)
	conform(restarted)

	back := moved
	back.kind, back.make = "workload.rollback", makeRevisions
	back.ready = func(o *unstructured.Unstructured) error {
		if n := o.GetAnnotations()["deployment.kubernetes.io/revision"]; n != "2" {
			return fmt.Errorf("revision is %q", n)
		}
		return rolledOut(o)
	}
	back.held = func(_ *trial, o *unstructured.Unstructured) string {
		return want(image(o), "registry.example/web:1", "image")
	}
	back.meddle = func(c *trial, name string) {
		c.patch(name, `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example/theirs:1"}]}}}}`)
	}
	back.kept = func(_ *trial, o *unstructured.Unstructured) string {
		return want(image(o), "registry.example/theirs:1", "image")
	}
	back.rare = rarely("get list patch", "statefulsets.apps", "daemonsets.apps")
	back.ways = back.on(statefulSets, daemonSets)
	for i, w := range back.ways {
		back.ways[i].make, back.ways[i].ready = makeRevised(w.at), noticed
	}
	back.rare["list controllerrevisions.apps"] = "of a StatefulSet or DaemonSet"
	conform(back)

	suspended := fixture{
		kind: "workload.suspend", at: cronJobs, make: makeCronJob,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			on, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend")
			return want(fmt.Sprint(on), "true", "suspend")
		},
		meddle: func(c *trial, name string) { c.patch(name, `{"spec":{"schedule":"1 1 1 1 *"}}`) },
		kept: func(_ *trial, o *unstructured.Unstructured) string {
			return want(text(o, "spec", "schedule"), "1 1 1 1 *", "schedule")
		},
		rare: rarely("get list patch", "jobs.batch"),
	}
	suspended.ways = suspended.on(jobResource)
	conform(suspended)
	deleted := fixture{
		kind: "workload.delete", at: cronJobs, make: makeCronJob, fulfilled: true,
		held: func(_ *trial, o *unstructured.Unstructured) string {
			if o != nil && o.GetDeletionTimestamp() == nil {
				return "it is still there"
			}
			return ""
		},
		rare: rarely("get delete", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "jobs.batch"),
	}
	deleted.ways = deleted.on(deployments, statefulSets, daemonSets, replicaSets, jobResource)
	conform(deleted)
}

// rarely are the permissions that a fixture does not use: verbs on the kinds of
// targets that are not the fixture's.
func rarely(verbs string, others ...string) map[string]string {
	all := map[string]string{}
	for _, o := range others {
		for _, verb := range strings.Fields(verbs) {
			all[verb+" "+o] = "only such a target"
		}
	}
	return all
}

func number(o *unstructured.Unstructured, path ...string) int64 {
	n, _, _ := unstructured.NestedInt64(o.Object, path...)
	return n
}

// image is that of the first container of a pod template.
func image(o *unstructured.Unstructured) string {
	list, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
	if len(list) == 0 {
		return ""
	}
	s, _ := list[0].(map[string]any)["image"].(string)
	return s
}

func makeDeployment(c *trial, name string) { c.create(deployments, true, plainDeployment(name)) }

func plainDeployment(name string) appsv1.Deployment {
	one, app := int32(1), map[string]string{"app": name}
	t := template()
	t.Labels = app
	return appsv1.Deployment{
		TypeMeta: metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ""},
		Spec: appsv1.DeploymentSpec{Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: app}, Template: t},
	}
}

// makeRevisions makes a Deployment, without pods, of two revisions.
func makeRevisions(c *trial, name string) {
	d := plainDeployment(name)
	none := int32(0)
	d.Spec.Replicas = &none
	c.create(deployments, true, d)
	c.wait(name, "1")
	c.patch(name, `{"spec":{"template":{"metadata":{"annotations":{"new":"x"}},"spec":{"containers":[{"name":"web","image":"registry.example/evil:2"}]}}}}`)
}

// wait waits until the controller knows a revision.
func (c *trial) wait(name, revision string) {
	c.t.Helper()
	eventually(c.t, "revision "+revision+" of "+name, func(context.Context) error {
		if o := c.find(name); o == nil || o.GetAnnotations()["deployment.kubernetes.io/revision"] != revision {
			return errors.New("is not known yet")
		}
		return nil
	})
}

func rolledOut(o *unstructured.Unstructured) error {
	if number(o, "status", "observedGeneration") != o.GetGeneration() || number(o, "status", "readyReplicas") != number(o, "spec", "replicas") {
		return errors.New("is not rolled out")
	}
	return nil
}

func revisionTrim(o map[string]any) {
	unstructured.RemoveNestedField(o, "metadata", "annotations", "deployment.kubernetes.io/revision")
}

func makeCronJob(c *trial, name string) {
	spec := template().Spec
	spec.RestartPolicy = corev1.RestartPolicyNever
	c.create(cronJobs, true, batchv1.CronJob{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "CronJob"}, ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: batchv1.CronJobSpec{Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{
			Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: spec}},
		}},
	})
}
