package action

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"pgregory.net/rapid"

	"context"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// annotated is a pod with an annotation of somebody's, and what sets another.
func annotated(t *testing.T) (*fake, Action, Request) {
	f := newFake()
	p := pod("web-1", nil)
	p.Annotations = map[string]string{"a": "1", "keep": "x"}
	uid := f.put(t, "pods", p)
	return f, build(t, podAnnotate, Deps{Cluster: f}, &AnnotateConfig{Annotations: map[string]string{"a": "2", "b.example/c": "3"}}), podRequest("run1/mark", "web-1", uid)
}

func TestFieldsAndBack(t *testing.T) {
	f, a, r := annotated(t)
	before := metadata(t, f, "pods", "web-1")
	p, done := must(t, a, r)
	again, err := a.Plan(t.Context(), r)
	if err != nil || digest(t, again) != digest(t, p) {
		t.Error("the digest changed once the effect had landed", err)
	}
	if done, err = a.Do(t.Context(), r, p); err != nil || done.Result != event.ResultApplied {
		t.Errorf("Do again: %v", err)
	}
	if seen, err := a.(Verifier).Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultApplied {
		t.Error(seen, err)
	}
	now, _ := f.Pod(t.Context(), ns, "web-1")
	if now.Annotations["a"] != "2" || now.Annotations["b.example/c"] != "3" || now.Labels[HeldKey] != HeldYes {
		t.Error(now.ObjectMeta)
	}
	found, err := Find(t.Context(), f)
	if err != nil || len(found.Holdings) != 1 || found.Holdings[0].Key != r.Key || found.Holdings[0].Action != podAnnotate {
		t.Errorf("%+v %v", found, err)
	}
	if _, err := End(t.Context(), Deps{Cluster: f}, found.Holdings[0], Request{Now: noon}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
		t.Error(d)
	}
	if _, err := a.Do(t.Context(), r, p); !errors.Is(err, ErrConflict) {
		t.Errorf("late Do: %v", err)
	}
}

// What somebody else changed since stays, and is told before anything is put
// back.
func TestFieldsOfOthersStay(t *testing.T) {
	f, a, r := annotated(t)
	p, done := must(t, a, r)
	now, _ := f.Pod(t.Context(), ns, "web-1")
	now.Annotations["a"], now.Annotations["new"] = "theirs", "n"
	f.put(t, "pods", now)
	if seen, err := a.(Verifier).Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultPartial {
		t.Error(seen, err)
	}
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); !errors.Is(err, ErrDiffers) {
		t.Fatal(err)
	}
	r.Over = true
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	now, _ = f.Pod(t.Context(), ns, "web-1")
	if d := cmp.Diff(map[string]string{"a": "theirs", "new": "n", "keep": "x"}, now.Annotations); d != "" {
		t.Error(d)
	}
}

// The record is on an object that others may edit: a field that the action has
// no business with is not written.
func TestFieldsThatARecordMakesUp(t *testing.T) {
	f, a, r := annotated(t)
	_, done := must(t, a, r)
	now, _ := f.Pod(t.Context(), ns, "web-1")
	evil := fieldHold{field: field{Path: []string{"spec", "hostNetwork"}, Value: nil}, Before: true, Runs: Holders{r.Key: {Action: podAnnotate}}}
	rec, err := parseFields(now.Annotations)
	if err != nil {
		t.Fatal(err)
	}
	rec[evil.id()] = evil
	text, _ := encode(rec)
	now.Annotations[FieldsKey] = string(text)
	f.put(t, "pods", now)
	r.Over = true
	u, err := a.Undo(t.Context(), r, done, event.AtEndRestore)
	if err != nil || !slices.ContainsFunc(u.Notes, func(n string) bool { return n == "spec.hostNetwork is no field of pod.annotate and is left" }) {
		t.Error(u, err)
	}
	if now, _ = f.Pod(t.Context(), ns, "web-1"); now.Spec.HostNetwork {
		t.Error("the made-up field was written")
	}
}

// listed is a kind that adds and takes out elements of lists, for the test.
func listed(f *fake, list ...field) fields {
	return fields{Deps: Deps{Cluster: f}, action: "test.list", at: []Resource{{"", "v1", "nodes"}},
		want: func(context.Context, Request, *unstructured.Unstructured) ([]field, string, []string, error) {
			return list, "change", nil, nil
		}}
}

// Any set of steps that change a node's taints, undone in any order, leave it as
// it was.
func TestFieldsInAnyOrder(t *testing.T) {
	catalogue["test.list"] = Kind{Name: "test.list", Fields: []string{"/spec"}}
	defer delete(catalogue, "test.list")
	taint := func(k string) any { return map[string]any{"key": k, "effect": "NoSchedule"} }
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake()
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: corev1.NodeSpec{PodCIDR: "10.0.0.0/24"}}
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID).Draw(rt, "taints") {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: k, Effect: corev1.TaintEffectNoSchedule})
		}
		target := event.NodeRef("n1")
		target.UID = f.put(t, "nodes", n)
		before, _ := f.Get(t.Context(), "", "v1", "nodes", "", "n1")
		before.SetResourceVersion("")
		type hold struct {
			fields
			r    Request
			done event.Receipt
		}
		var holds []hold
		for i := range rapid.IntRange(1, 4).Draw(rt, "steps") {
			change := field{Path: []string{"spec", "taints"}, Op: fieldAdd, Value: taint(rapid.SampledFrom([]string{"a", "x"}).Draw(rt, "key"))}
			if rapid.Bool().Draw(rt, "unschedulable") {
				change = field{Path: []string{"spec", "unschedulable"}, Value: true}
			}
			h := hold{fields: listed(f, change), r: Request{Key: "run" + string(rune('a'+i)) + "/s", Target: target, Now: noon, Until: noon}}
			p, err := h.Plan(t.Context(), h.r)
			if err != nil {
				rt.Fatal(err)
			}
			if h.done, err = h.Do(t.Context(), h.r, p); err != nil {
				rt.Fatal(err)
			}
			holds = append(holds, h)
		}
		for _, i := range rapid.Permutation(indexes(len(holds))).Draw(rt, "order") {
			if _, err := holds[i].Undo(t.Context(), holds[i].r, holds[i].done, event.AtEndRestore); err != nil {
				rt.Fatal(err)
			}
		}
		after, _ := f.Get(t.Context(), "", "v1", "nodes", "", "n1")
		after.SetResourceVersion("")
		if d := cmp.Diff(before.Object, after.Object); d != "" {
			rt.Error(d)
		}
	})
}

func indexes(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// An element that was taken out of a list comes back to its place.
func TestFieldTakenOutComesBackToItsPlace(t *testing.T) {
	catalogue["test.list"] = Kind{Name: "test.list", Fields: []string{"/spec"}}
	defer delete(catalogue, "test.list")
	f := newFake()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	for _, k := range []string{"a", "b", "c"} {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: k, Effect: corev1.TaintEffectNoSchedule})
	}
	target := event.NodeRef("n1")
	target.UID = f.put(t, "nodes", n)
	a := listed(f, field{Path: []string{"spec", "taints"}, Op: fieldRemove, Value: map[string]any{"key": "b", "effect": "NoSchedule"}})
	r := Request{Key: "run1/s", Target: target, Now: noon}
	_, done := must(t, a, r)
	now, _ := f.Node(t.Context(), "n1")
	if len(now.Spec.Taints) != 2 {
		t.Fatal(now.Spec.Taints)
	}
	if _, err := a.Undo(t.Context(), r, done, ""); err != nil {
		t.Fatal(err)
	}
	now, _ = f.Node(t.Context(), "n1")
	if d := cmp.Diff(n.Spec.Taints, now.Spec.Taints); d != "" {
		t.Error(d)
	}
}

// limit is an action that makes a NetworkPolicy of its own, for the test.
func limit(f *fake) made {
	policies := Resource{"networking.k8s.io", "v1", "networkpolicies"}
	return made{Deps: Deps{Cluster: f}, action: "test.made", objects: func(_ context.Context, r Request) ([]own, string, []string, error) {
		spec := object{"podSelector": object{"matchLabels": object{"app": "web"}}}
		return []own{{Resource: policies, Kind: "NetworkPolicy", Namespace: r.Target.Namespace, Body: object{"spec": spec}}}, "make it", nil, nil
	}}
}

func TestMadeAndGone(t *testing.T) {
	catalogue["test.made"] = Kind{Name: "test.made", Reversible: true, Holds: []Resource{{"networking.k8s.io", "v1", "networkpolicies"}}}
	defer delete(catalogue, "test.made")
	f := newFake()
	r := podRequest("run1/limit", "web-1", f.put(t, "pods", pod("web-1", nil)))
	a := limit(f)
	p, done := must(t, a, r)
	if _, err := a.Do(t.Context(), r, p); err != nil || len(f.landed) != 1 {
		t.Error("Do again:", err, len(f.landed))
	}
	if seen, err := a.Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultApplied {
		t.Error(seen, err)
	}
	later := r
	later.Until = noon.AddDate(0, 0, 1)
	if err := a.Mark(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	found, err := Find(t.Context(), f)
	if err != nil || len(found.Holdings) != 1 || found.Holdings[0].Target.UID != r.Target.UID || !found.Holdings[0].Until.Equal(later.Until) {
		t.Fatalf("%+v %v", found, err)
	}
	if _, err := a.Undo(t.Context(), r, done, ""); err != nil || len(f.objects) != 1 {
		t.Error(err, f.objects)
	}
	if seen, err := a.Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultVoid {
		t.Error(seen, err)
	}
	if u, err := a.Undo(t.Context(), r, event.Receipt{}, ""); err != nil || u.Result != event.ResultUndone {
		t.Error("Undo again:", u, err)
	}
	// The reconciler ends it by what it says itself.
	must(t, a, r)
	if _, err := End(t.Context(), Deps{Cluster: f}, found.Holdings[0], Request{Now: noon}); err != nil || len(f.objects) != 1 {
		t.Error(err, f.objects)
	}
}

func TestMadeNeverOverSomebodyElses(t *testing.T) {
	f := newFake()
	r := podRequest("run1/limit", "web-1", f.put(t, "pods", pod("web-1", nil)))
	a := limit(f)
	theirs := policy(OwnName(r.Key, ""), metav1.LabelSelector{})
	f.put(t, "networkpolicies", theirs)
	p, err := a.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Do(t.Context(), r, p); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	if _, err := a.Undo(t.Context(), r, event.Receipt{Before: p.Before}, ""); err != nil || len(f.objects) != 2 {
		t.Error("somebody else's was removed", err)
	}
}

// One of ours that somebody else has edited since goes only with people's
// consent.
func TestMadeThatOthersEdited(t *testing.T) {
	f := newFake()
	r := podRequest("run1/limit", "web-1", f.put(t, "pods", pod("web-1", nil)))
	a := limit(f)
	p, done := must(t, a, r)
	now, _ := f.NetworkPolicy(t.Context(), ns, OwnName(r.Key, ""))
	now.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: kube.FieldManager}, {Manager: "kubectl-edit"}}
	now.Spec.PodSelector.MatchLabels["app"] = "db"
	f.put(t, "networkpolicies", now)
	if seen, err := a.Verify(t.Context(), r, p, done); err != nil || seen.Result != event.ResultPartial {
		t.Error(seen, err)
	}
	if _, err := a.Undo(t.Context(), r, done, ""); !errors.Is(err, ErrDiffers) {
		t.Error(err)
	}
	r.Over = true
	if _, err := a.Undo(t.Context(), r, done, ""); err != nil || len(f.objects) != 1 {
		t.Error(err)
	}
}
