package action

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// shop is a namespace with a pod that a Service and a ReplicaSet select.
func shop(t *testing.T) (*fake, Action, Request) {
	t.Helper()
	f := newFake()
	f.put(t, "services", service("web", map[string]string{"app": "web"}))
	f.owner = kube.Owner{Kind: "ReplicaSet", Name: "web-1", Selector: &metav1.LabelSelector{
		MatchLabels: map[string]string{"app": "web", "pod-template-hash": "1"}}}
	p := pod("web-1", map[string]string{"app": "web", "pod-template-hash": "1", "team": "shop"})
	p.Annotations = map[string]string{"note": "of somebody else"}
	uid := f.put(t, "pods", p)
	return f, build(t, podQuarantine, Deps{Cluster: f}, nil), podRequest("run1/isolate", "web-1", uid)
}

func metadata(t *testing.T, f *fake, resource, name string) string {
	t.Helper()
	meta := f.objects[at(resource, ns, name)]["metadata"].(object)
	text, err := json.Marshal(object{"labels": meta["labels"], "annotations": meta["annotations"], "uid": meta["uid"]})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestQuarantinePlan(t *testing.T) {
	_, q, r := shop(t)
	p, err := q.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"metadata":{"annotations":{"firebreak.io/hold":` + `…` + `},"labels":{"app":null,"firebreak.io/hold":"quarantine","pod-template-hash":null}}}`
	var body struct {
		Metadata struct{ Annotations map[string]string }
	}
	if err := json.Unmarshal(p.Writes[1].Body, &body); err != nil {
		t.Fatal(err)
	}
	note, _ := json.Marshal(body.Metadata.Annotations[HoldKey])
	if d := cmp.Diff(want, strings.Replace(string(p.Writes[1].Body), string(note), "…", 1)); d != "" {
		t.Error(d)
	}
	digest, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	wantNote := `{"labels":{"app":"web","pod-template-hash":"1"},"runs":{"run1/isolate":{"until":"2026-03-01T13:00:00Z","digest":"` + digest + `"}}}`
	if d := cmp.Diff(wantNote, body.Metadata.Annotations[HoldKey]); d != "" {
		t.Error(d)
	}
	wantPolicy := `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"labels":{"app.kubernetes.io/managed-by":"firebreak","app.kubernetes.io/name":"firebreak-hold"},` +
		`"name":"firebreak-hold","namespace":"shop"},"spec":{"podSelector":{"matchExpressions":[{"key":"firebreak.io/hold","operator":"Exists"}]},"policyTypes":["Ingress","Egress"]}}`
	if d := cmp.Diff(wantPolicy, string(p.Writes[0].Body)); d != "" {
		t.Error(d)
	}
	if p.Writes[1].UID != r.Target.UID || p.Writes[1].ResourceVersion == "" {
		t.Errorf("patch is not conditional: %+v", p.Writes[1])
	}
	if p.Summary != "quarantine pods/shop/web-1: take off labels app, pod-template-hash; deny all traffic" {
		t.Error(p.Summary)
	}
}

func TestQuarantineAndBack(t *testing.T) {
	f, q, r := shop(t)
	before := metadata(t, f, "pods", "web-1")
	p, done := must(t, q, r)
	if done.Result != event.ResultUnverified || done.Key != r.Key {
		t.Errorf("receipt %+v", done)
	}
	now, _ := f.Pod(t.Context(), ns, "web-1")
	if d := cmp.Diff(map[string]string{"team": "shop", HoldKey: HoldQuarantine}, now.Labels); d != "" {
		t.Error(d)
	}
	again, err := q.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := digest(t, p), digest(t, again); a != b {
		t.Error("the digest changed once the effect had landed")
	}
	if _, err := q.Do(t.Context(), r, p); err != nil {
		t.Errorf("Do again after a crash: %v", err)
	}
	writes := len(f.landed)
	undone, err := q.Undo(t.Context(), r, done, event.AtEndRestore)
	if err != nil || undone.Result != event.ResultUndone {
		t.Fatal(undone, err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
		t.Errorf("not as before: %s", d)
	}
	if _, err := f.NetworkPolicy(t.Context(), ns, HoldPolicyName); !errors.Is(err, kube.ErrNotFound) {
		t.Errorf("policy: %v", err)
	}
	if len(f.landed) != writes+2 {
		t.Errorf("%d writes to undo", len(f.landed)-writes)
	}
	if again, err := q.Undo(t.Context(), r, done, event.AtEndRestore); err != nil || again.Result != event.ResultUndone {
		t.Errorf("undo again: %v %v", again, err)
	}
	if _, err := q.Do(t.Context(), r, p); !errors.Is(err, ErrConflict) {
		t.Errorf("a late Do: %v", err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
		t.Errorf("the late Do wrote: %s", d)
	}
	if _, err := f.NetworkPolicy(t.Context(), ns, HoldPolicyName); !errors.Is(err, kube.ErrNotFound) {
		t.Errorf("the late Do left the policy: %v", err)
	}
}

func digest(t *testing.T, p event.Plan) string {
	t.Helper()
	d, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestQuarantineOfTwoRuns(t *testing.T) {
	f, q, first := shop(t)
	before := metadata(t, f, "pods", "web-1")
	p, done := must(t, q, first)
	second := first
	second.Key = "run2/isolate"
	f.owner = kube.Owner{} // the ReplicaSet let go
	p2, done2 := must(t, q, second)
	if !slices.Contains(p2.Notes, "held already by run1/isolate; the last one to end restores the pod") {
		t.Error(p2.Notes)
	}
	if digest(t, p) != digest(t, p2) {
		t.Error("the same deed has two digests")
	}
	u, err := q.Undo(t.Context(), first, done, event.AtEndDelete)
	if err != nil || !slices.Contains(u.Notes, "still held by run2/isolate") {
		t.Fatal(u, err)
	}
	now, _ := f.Pod(t.Context(), ns, "web-1")
	if !holds(now, second.Key) || holds(now, first.Key) {
		t.Error(now.Annotations)
	}
	if _, err := q.Undo(t.Context(), second, done2, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
		t.Error(d)
	}
}

func TestQuarantineEndsByDelete(t *testing.T) {
	f, q, r := shop(t)
	_, done := must(t, q, r)
	u, err := q.Undo(t.Context(), r, done, event.AtEndDelete)
	if err != nil || u.Result != event.ResultUndone {
		t.Fatal(u, err)
	}
	if len(f.objects) != 1 { // the service
		t.Errorf("left: %v", f.objects)
	}
	if u, err = q.Undo(t.Context(), r, done, event.AtEndDelete); err != nil || u.Result != event.ResultGone {
		t.Error(u, err)
	}
}

func TestQuarantineRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*corev1.Pod, *Request)
		want   error
	}{
		"another UID":       {func(_ *corev1.Pod, r *Request) { r.Target.UID = "stale" }, ErrGone},
		"no UID":            {func(_ *corev1.Pod, r *Request) { r.Target.UID = "" }, ErrRefused},
		"no name":           {func(_ *corev1.Pod, r *Request) { r.Target.Name = "" }, ErrRefused},
		"no namespace":      {func(_ *corev1.Pod, r *Request) { r.Target.Namespace = "" }, ErrRefused},
		"a node":            {func(_ *corev1.Pod, r *Request) { r.Target.Resource = "nodes" }, ErrRefused},
		"the host network":  {func(p *corev1.Pod, _ *Request) { p.Spec.HostNetwork = true }, ErrRefused},
		"a mirror pod":      {func(p *corev1.Pod, _ *Request) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }, ErrRefused},
		"a pod that's gone": {func(p *corev1.Pod, _ *Request) { p.Name = "other" }, ErrGone},
		"a pod of a node": {func(p *corev1.Pod, _ *Request) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n", UID: "u"}}
		}, ErrRefused},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			p := pod("web-1", nil)
			p.UID = "u1"
			r := podRequest("k", "web-1", "u1")
			tt.change(p, &r)
			f.put(t, "pods", p)
			_, err := build(t, podQuarantine, Deps{Cluster: f}, nil).Plan(t.Context(), r)
			if !errors.Is(err, tt.want) {
				t.Error(err)
			}
		})
	}
}

func TestQuarantineLeavesForeignPolicy(t *testing.T) {
	f, q, r := shop(t)
	f.put(t, "networkpolicies", policy(HoldPolicyName, metav1.LabelSelector{MatchLabels: map[string]string{"x": "y"}}))
	podBefore, before := metadata(t, f, "pods", "web-1"), f.objects[at("networkpolicies", ns, HoldPolicyName)]
	text, _ := json.Marshal(before)
	p, err := q.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = q.Do(t.Context(), r, p)
	if !errors.Is(err, ErrForeign) || err.Error() != "network policy shop/firebreak-hold was not made by Firebreak" {
		t.Error(err)
	}
	if _, err := q.Undo(t.Context(), r, event.Receipt{}, event.AtEndRestore); err != nil {
		t.Error(err)
	}
	after, _ := json.Marshal(f.objects[at("networkpolicies", ns, HoldPolicyName)])
	if string(after) != string(text) || metadata(t, f, "pods", "web-1") != podBefore {
		t.Error("something was written")
	}
}

// watched is a cluster that knows network policies by a watch, and counts what is read.
type watched struct {
	*fake
	known []networkingv1.NetworkPolicy
	reads int
}

func (w *watched) KnownPolicies(string) ([]networkingv1.NetworkPolicy, bool) { return w.known, true }

func (w *watched) NetworkPolicy(ctx context.Context, ns, name string) (*networkingv1.NetworkPolicy, error) {
	w.reads++
	return w.fake.NetworkPolicy(ctx, ns, name)
}

// TestQuarantineByWatch: before the pod is held nothing is read where a watch says
// whether the policy is there; that a watch may be wrong the write and the look
// afterwards find out.
func TestQuarantineByWatch(t *testing.T) {
	hold, err := holdNetworkPolicy(ns)
	if err != nil {
		t.Fatal(err)
	}
	foreign := policy(HoldPolicyName, metav1.LabelSelector{MatchLabels: map[string]string{"x": "y"}})
	for name, tt := range map[string]struct {
		known, there *networkingv1.NetworkPolicy
		before       int
		err          error
	}{
		"there":                  {known: hold, there: hold},
		"absent":                 {},
		"made since":             {there: hold, before: 1},
		"made by another, since": {there: foreign, before: 1, err: ErrForeign},
		"by another":             {known: foreign, there: foreign, before: 1, err: ErrForeign},
		"gone since":             {known: hold},
	} {
		t.Run(name, func(t *testing.T) {
			f, _, r := shop(t)
			w := &watched{fake: f}
			if tt.known != nil {
				w.known = []networkingv1.NetworkPolicy{*tt.known}
			}
			if tt.there != nil {
				f.put(t, "networkpolicies", tt.there)
			}
			q := build(t, podQuarantine, Deps{Cluster: w}, nil)
			p, err := q.Plan(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			before, reads := metadata(t, f, "pods", "web-1"), -1
			f.before = func(write event.Write) error {
				if write.Resource == "pods" {
					reads = w.reads
					_, exists := f.objects[at("networkpolicies", ns, HoldPolicyName)]
					if !exists && tt.known == nil {
						t.Error("the pod is held before its policy is there")
					}
				}
				return nil
			}
			w.reads = 0
			_, err = q.Do(t.Context(), r, p)
			if tt.err != nil {
				if !errors.Is(err, tt.err) || metadata(t, f, "pods", "web-1") != before {
					t.Errorf("gave %v, and the pod is %s", err, metadata(t, f, "pods", "web-1"))
				}
				return
			}
			if err != nil || reads != tt.before {
				t.Errorf("gave %v after %d reads before the pod was held, want %d", err, reads, tt.before)
			}
			if found, err := f.NetworkPolicy(t.Context(), ns, HoldPolicyName); err != nil || found.Labels[kube.ManagedByLabel] != kube.ManagedBy {
				t.Errorf("the policy is %v, %v", found, err)
			}
		})
	}
}

func TestQuarantineMeetsPolicyRemovedMeanwhile(t *testing.T) {
	f, q, r := shop(t)
	f.after = func(w event.Write) error {
		if w.Verb == "patch" {
			delete(f.objects, at("networkpolicies", ns, HoldPolicyName))
		}
		return nil
	}
	must(t, q, r)
	if _, err := f.NetworkPolicy(t.Context(), ns, HoldPolicyName); err != nil {
		t.Error(err)
	}
}

func TestUndoLeavesWhatOthersSet(t *testing.T) {
	f, q, r := shop(t)
	_, done := must(t, q, r)
	now, _ := f.Pod(t.Context(), ns, "web-1")
	now.Labels["app"] = "honeypot"
	f.put(t, "pods", now)
	before := metadata(t, f, "pods", "web-1")
	if _, err := q.Undo(t.Context(), r, done, event.AtEndRestore); !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), `label app was set to "honeypot"`) {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
		t.Fatal("the undo that stopped wrote:", d)
	}
	r.Over = true
	u, err := q.Undo(t.Context(), r, done, event.AtEndRestore)
	if err != nil || !slices.Contains(u.Notes, `label app was set to "honeypot" meanwhile and is left; it was "web"`) {
		t.Fatal(u, err)
	}
	now, _ = f.Pod(t.Context(), ns, "web-1")
	if d := cmp.Diff(map[string]string{"app": "honeypot", "pod-template-hash": "1", "team": "shop"}, now.Labels); d != "" {
		t.Error(d)
	}
}

func TestUndoWithoutItsRecord(t *testing.T) {
	for _, text := range []string{"", "{", `{"runs":{}}`, `{"labels":{"app":"not a label value!"},"runs":{"run1/isolate":{}}}`} {
		f, q, r := shop(t)
		before := metadata(t, f, "pods", "web-1")
		_, done := must(t, q, r)
		now, _ := f.Pod(t.Context(), ns, "web-1")
		now.Annotations[HoldKey] = text
		if text == "" {
			delete(now.Annotations, HoldKey)
		}
		f.put(t, "pods", now)
		if _, err := q.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
			t.Errorf("record %q: %s", text, d)
		}
	}
}
