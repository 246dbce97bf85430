package action

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/event"
)

// withRevisions is a Deployment of three revisions, of which the newest is as it
// is now.
func withRevisions(t *testing.T) (*fake, Request) {
	f := newFake()
	pod := func(image string) object {
		return object{"metadata": object{"labels": object{"app": "web"}}, "spec": object{"containers": []any{object{"name": "c", "image": image}}}}
	}
	r := stored(t, f, deployments, "Deployment", "web", object{"spec": object{"template": pod("evil:1")}})
	for i, image := range []string{"good:1", "good:2", "evil:1"} {
		template := pod(image)
		template["metadata"].(object)["labels"].(object)[templateHash] = fmt.Sprint("h", i)
		stored(t, f, replicaSets, "ReplicaSet", fmt.Sprint("web-", i), object{
			"metadata": object{
				"annotations":     object{revisionKey: fmt.Sprint(i + 8)},
				"ownerReferences": []any{object{"kind": "Deployment", "name": "web", "uid": r.Target.UID, "controller": true}},
			},
			"spec": object{"template": template},
		})
	}
	stored(t, f, replicaSets, "ReplicaSet", "other", object{
		"metadata": object{"annotations": object{revisionKey: "99"}}, "spec": object{"template": pod("other:1")},
	})
	return f, r
}

func imageOf(t *testing.T, f *fake, r Request) string {
	v, _ := valueAt(plain(t, f, r.Target), []string{"spec", "template", "spec", "containers"})
	return canonical(v)
}

func TestRollback(t *testing.T) {
	for revision, want := range map[int64]string{0: "good:2", 8: "good:1"} {
		f, r := withRevisions(t)
		before := plain(t, f, r.Target)
		a := build(t, workloadRollback, Deps{Cluster: f}, &RollbackConfig{Revision: revision})
		p, done := must(t, a, r)
		if !strings.Contains(imageOf(t, f, r), want) {
			t.Errorf("revision %d: %s", revision, imageOf(t, f, r))
		}
		again, err := a.Plan(t.Context(), r)
		if err != nil || digest(t, again) != digest(t, p) {
			t.Error("the digest changed once it had landed", err, again)
		}
		if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(before, plain(t, f, r.Target)); d != "" {
			t.Error(d)
		}
	}
}

func TestRollbackRefuses(t *testing.T) {
	f, r := withRevisions(t)
	if _, err := build(t, workloadRollback, Deps{Cluster: f}, &RollbackConfig{Revision: 3}).Plan(t.Context(), r); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	for i := range 2 {
		delete(f.objects, at("replicasets", ns, fmt.Sprint("web-", i)))
	}
	if _, err := build(t, workloadRollback, Deps{Cluster: f}, nil).Plan(t.Context(), r); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

// Of a StatefulSet the revisions are patches that replace the template.
func TestControllerRevisions(t *testing.T) {
	f := newFake()
	r := stored(t, f, statefulSets, "StatefulSet", "db", object{"spec": object{"template": object{"spec": object{"x": "new"}}}})
	for i, x := range []string{"old", "new"} {
		stored(t, f, controllerRevisions, "ControllerRevision", fmt.Sprint("db-", i), object{
			"metadata": object{"ownerReferences": []any{object{"kind": "StatefulSet", "name": "db", "uid": r.Target.UID, "controller": true}}},
			"revision": i + 1,
			"data":     object{"spec": object{"template": object{"$patch": "replace", "metadata": object{"creationTimestamp": nil}, "spec": object{"x": x}}}},
		})
	}
	must(t, build(t, workloadRollback, Deps{Cluster: f}, nil), r)
	if v, _ := valueAt(plain(t, f, r.Target), []string{"spec", "template"}); canonical(v) != `{"spec":{"x":"old"}}` {
		t.Error(v)
	}
}

// Whatever two templates are, the changes from one to the other make it the
// other, but for what is empty.
func TestChangesMakeOneTheOther(t *testing.T) {
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaves := []*rapid.Generator[any]{
			rapid.SampledFrom([]any{"a", "b", 1.0, true, nil}), rapid.Just[any]([]any{"x"}), rapid.Just[any]([]any{}),
		}
		if depth > 0 {
			leaves = append(leaves, rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"k", "l/m", "n~"}), value(depth-1), 0, 3), func(m object) any { return m }))
		}
		return rapid.OneOf(leaves...)
	}
	some := rapid.MapOfN(rapid.SampledFrom([]string{"k", "l/m", "n~"}), value(3), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		from, to := some.Draw(t, "from"), some.Draw(t, "to")
		patch := object{}
		for _, f := range changes(from, to, nil) {
			setAt(patch, f.Path, f.Value)
		}
		now := object{}
		remarshal(t, from, &now)
		merge(now, patch)
		if left := changes(now, to, nil); len(left) > 0 {
			t.Errorf("%s to %s leaves %v", canonical(from), canonical(to), left)
		}
	})
}
