package action

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

// stored puts an object of a resource into the fake, and gives a request about it.
func stored(t *testing.T, f *fake, x Resource, kind, name string, parts object) Request {
	t.Helper()
	o := object{"apiVersion": x.Group + "/" + x.Version, "kind": kind, "metadata": object{"namespace": ns, "name": name}}
	if x == clusterRoleBindings {
		o["metadata"] = object{"name": name}
	}
	for k, v := range parts {
		if k == "metadata" {
			merge(o["metadata"].(object), v.(object))
			continue
		}
		o[k] = v
	}
	uid := f.put(t, x.Resource, o)
	namespace, _ := o["metadata"].(object)["namespace"].(string)
	return Request{
		Key: "run1/s", Now: noon, Until: noon.Add(time.Hour),
		Target: event.Ref{Group: x.Group, Resource: x.Resource, Namespace: namespace, Name: name, UID: uid},
	}
}

// plain is an object without what the API server counts.
func plain(t *testing.T, f *fake, r event.Ref) object {
	t.Helper()
	o, err := f.Get(t.Context(), r.Group, "v1", r.Resource, r.Namespace, r.Name)
	if err != nil {
		t.Fatal(err)
	}
	c := o.DeepCopy()
	unstructured.RemoveNestedField(c.Object, "metadata", "resourceVersion")
	return c.Object
}

// TestOneField: the workload actions that set one field set it, are done once
// however often they are done, and put back exactly what was there.
func TestOneField(t *testing.T) {
	for name, c := range map[string]struct {
		action string
		config any
		at     Resource
		parts  object
		path   string
		value  any
		notes  string
	}{
		"scale":          {workloadScale, nil, deployments, object{"spec": object{"replicas": 3}}, "spec.replicas", "0", "3 of 3 pods are deleted"},
		"scale to two":   {workloadScale, &ScaleConfig{Replicas: 2}, statefulSets, object{"spec": object{"replicas": 3}}, "spec.replicas", "2", "1 of 3 pods"},
		"pause":          {workloadPause, nil, deployments, object{"spec": object{"replicas": 3}}, "spec.paused", "true", "go on running"},
		"suspend cron":   {workloadSuspend, nil, cronJobs, object{"spec": object{"suspend": false}, "status": object{"active": []any{object{}}}}, "spec.suspend", "true", "1 Jobs that it made run on"},
		"suspend job":    {workloadSuspend, nil, jobs, object{"spec": object{"parallelism": 2}, "status": object{"active": 2}}, "spec.suspend", "true", "2 active pods are deleted"},
		"unmount":        {identityUnmount, nil, serviceAccounts, object{}, "automountServiceAccountToken", "false", "identity.revoke"},
		"unmount of one": {identityUnmount, nil, serviceAccounts, object{"automountServiceAccountToken": true}, "automountServiceAccountToken", "false", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			r := stored(t, f, c.at, "X", "web", c.parts)
			before := plain(t, f, r.Target)
			a := build(t, c.action, Deps{Cluster: f}, c.config)
			p, done := must(t, a, r)
			if !strings.Contains(strings.Join(p.Notes, "; "), c.notes) {
				t.Error(p.Notes)
			}
			if v, _ := valueAt(plain(t, f, r.Target), strings.Split(c.path, ".")); canonical(v) != c.value {
				t.Errorf("%s is %v", c.path, v)
			}
			if _, err := a.Do(t.Context(), r, p); err != nil || len(f.landed) != 1 {
				t.Error(err, f.landed)
			}
			if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(before, plain(t, f, r.Target)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAutoscalersAreTold(t *testing.T) {
	hpa := func(kind, name string, labels object) object {
		return object{"metadata": object{"labels": labels}, "spec": object{"scaleTargetRef": object{"kind": kind, "name": name}, "minReplicas": 2, "maxReplicas": 9}}
	}
	for name, c := range map[string]struct {
		hpa      object
		replicas int
		want     string
	}{
		"none":         {hpa("Deployment", "other", object{}), 0, ""},
		"another kind": {hpa("StatefulSet", "web", object{}), 0, ""},
		"to zero":      {hpa("Deployment", "web", object{}), 0, "does nothing while there are 0"},
		"to some":      {hpa("Deployment", "web", object{}), 1, "between 2 and 9 replicas"},
		"KEDA":         {hpa("Deployment", "web", object{"scaledobject.keda.sh/name": "so"}), 0, "ScaledObject so (KEDA)"},
	} {
		f := newFake()
		r := stored(t, f, deployments, "Deployment", "web", object{"spec": object{"replicas": 1}})
		stored(t, f, Resource{"autoscaling", "v2", "horizontalpodautoscalers"}, "HorizontalPodAutoscaler", "h", c.hpa)
		notes, err := autoscalers(t.Context(), f, r.Target, c.replicas)
		if text := strings.Join(notes, ";"); err != nil || (c.want == "") != (text == "") || !strings.Contains(text, c.want) {
			t.Errorf("%s: %v %v", name, notes, err)
		}
	}
}

func TestRestartIsOnce(t *testing.T) {
	f := newFake()
	r := stored(t, f, deployments, "Deployment", "web", object{"spec": object{"paused": true, "template": object{"metadata": object{"annotations": object{"a": "b"}}}}})
	a := build(t, workloadRestart, Deps{Cluster: f}, nil)
	p, done := must(t, a, r)
	if !slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "paused") }) {
		t.Error(p.Notes)
	}
	again, err := a.Plan(t.Context(), r)
	if err != nil || digest(t, again) != digest(t, p) {
		t.Error("the digest changed", err)
	}
	if _, err := a.Do(t.Context(), r, p); err != nil || len(f.landed) != 1 {
		t.Error(err, f.landed)
	}
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); !errors.Is(err, ErrIrreversible) {
		t.Error(err)
	}
	if v, _ := valueAt(plain(t, f, r.Target), []string{"spec", "template", "metadata", "annotations", "a"}); v != "b" {
		t.Error("an annotation of others is gone")
	}
	other := r
	other.Key = "run2/s"
	if must(t, a, other); len(f.landed) != 2 {
		t.Error("another run restarts nothing")
	}
	if _, err := a.Do(t.Context(), r, p); !errors.Is(err, ErrConflict) {
		t.Error("a late restart lands:", err)
	}
}

func TestDelete(t *testing.T) {
	for pods, policy := range map[string]string{"": "Background", podsDelete: "Background", podsKeep: "Orphan"} {
		f := newFake()
		r := stored(t, f, jobs, "Job", "j", object{"metadata": object{"ownerReferences": []any{object{"kind": "CronJob", "name": "c", "controller": true}}}})
		a := build(t, workloadDelete, Deps{Cluster: f}, &DeleteConfig{Pods: pods})
		p, done := must(t, a, r)
		if !strings.Contains(string(p.Writes[0].Body), policy) || !strings.Contains(strings.Join(p.Notes, ";"), "CronJob c made it") {
			t.Error(p)
		}
		if seen, err := a.(Verifier).Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultApplied {
			t.Error(seen, err)
		}
		if _, err := a.Do(t.Context(), r, p); err != nil {
			t.Error("again:", err)
		}
		// Another takes the name: it is not touched, and planning finds nobody.
		stored(t, f, jobs, "Job", "j", object{})
		if _, err := a.Do(t.Context(), r, p); !errors.Is(err, ErrGone) || len(f.landed) != 1 {
			t.Error(err, f.landed)
		}
		if _, err := a.Plan(t.Context(), r); !errors.Is(err, ErrGone) {
			t.Error(err)
		}
	}
	if k, _ := Lookup(workloadDelete); k.Check(&DeleteConfig{Pods: "some"}) == nil {
		t.Error("pods: some is taken")
	}
}
