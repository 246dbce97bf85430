package action

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/firebreak-io/firebreak/internal/event"
)

// left are the static objects of a fake cluster's namespace.
func left(f *fake) (names []string) {
	for _, resource := range []string{"networkpolicies", "ciliumnetworkpolicies"} {
		for _, name := range []string{HoldPolicyName, ProbesPolicyName} {
			if _, there := f.objects[at(resource, ns, name)]; there {
				names = append(names, resource+" "+name)
			}
		}
	}
	return names
}

// Where the cluster has Cilium, keep_probes: false keeps the pod's own node out;
// the evaluation says so, and it goes with the last hold that asked for it.
func TestProbesKeptOut(t *testing.T) {
	f, keeping, r := shop(t)
	before := metadata(t, f, "pods", "web-1")
	other := podRequest("run2/isolate", "web-1", r.Target.UID)
	_, keeps := must(t, keeping, other)
	q := build(t, podQuarantine, Deps{Cluster: f}, &QuarantineConfig{})
	p, done := must(t, q, r)
	if len(p.Writes) != 3 || p.Writes[1].Name != ProbesPolicyName || !has(p.Notes, "kept out by Cilium") || has(p.Notes, "always allowed") {
		t.Fatalf("%+v %q", p.Writes, p.Notes)
	}
	if seen := verified(t, q, r, p, done); seen.Result != event.ResultUnverified || !has(seen.Notes, "kept out by Cilium") || !has(seen.Notes, "held: by all policies") {
		t.Errorf("%+v", seen)
	}
	again, err := q.Plan(t.Context(), r)
	if err != nil || digest(t, p) != digest(t, again) {
		t.Errorf("the digest changed once the effect had landed: %v", err)
	}
	if _, err := q.Do(t.Context(), r, p); err != nil {
		t.Error("Do again:", err)
	}
	if d, err := q.(Watcher).Watch(t.Context(), r, p); err != nil || d != (Drift{}) {
		t.Errorf("%+v %v", d, err)
	}
	policy := f.objects[at("ciliumnetworkpolicies", ns, ProbesPolicyName)]
	delete(f.objects, at("ciliumnetworkpolicies", ns, ProbesPolicyName))
	if seen := verified(t, q, r, p, done); seen.Result != event.ResultPartial || !has(seen.Notes, "leaks: traffic with the pod's own node") {
		t.Errorf("%+v", seen)
	}
	if d, err := q.(Watcher).Watch(t.Context(), r, p); err != nil || !strings.Contains(d.Gone, ProbesPolicyName) {
		t.Errorf("%+v %v", d, err)
	}
	f.objects[at("ciliumnetworkpolicies", ns, ProbesPolicyName)] = policy
	x, _ := f.Pod(t.Context(), ns, "web-1")
	delete(x.Labels, ProbesKey)
	f.put(t, "pods", x)
	if d, err := q.(Watcher).Watch(t.Context(), r, p); err != nil || !strings.Contains(d.Gone, "label by which its own node") {
		t.Errorf("%+v %v", d, err)
	}
	x.Labels[ProbesKey] = ProbesCut
	f.put(t, "pods", x)
	// The one that asked for it ends; the other holds on.
	if _, err := q.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	x, _ = f.Pod(t.Context(), ns, "web-1")
	if d := cmp.Diff(map[string]string{"team": "shop", HoldKey: HoldQuarantine}, x.Labels); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"networkpolicies " + HoldPolicyName}, left(f)); d != "" {
		t.Error(d)
	}
	if _, err := keeping.Undo(t.Context(), other, keeps, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" || left(f) != nil {
		t.Errorf("left over: %s %q", d, left(f))
	}
}

// A single hold that keeps the node out gives the pod back as it was.
func TestProbesKeptOutAndBack(t *testing.T) {
	f, _, r := shop(t)
	before := metadata(t, f, "pods", "web-1")
	f.put(t, "networkpolicies", policy("allow-all", metav1.LabelSelector{}))
	q := build(t, podQuarantine, Deps{Cluster: f}, &QuarantineConfig{})
	p, done := must(t, q, r)
	if len(p.Writes) != 4 || p.Writes[1].Name != HoldPolicyName || p.Writes[2].Name != ProbesPolicyName {
		t.Fatalf("%+v", p.Writes)
	}
	other := p
	other.Writes = append([]event.Write(nil), p.Writes...)
	other.Writes[2].Body = []byte(strings.Replace(string(p.Writes[2].Body), ProbesKey, "app", 1))
	if _, err := q.Do(t.Context(), r, other); !errors.Is(err, ErrRefused) {
		t.Errorf("a policy of another selector: %v", err)
	}
	kept := build(t, podQuarantine, Deps{Cluster: f}, nil)
	if _, err := kept.Do(t.Context(), r, p); !errors.Is(err, ErrRefused) {
		t.Errorf("by a step that keeps probes: %v", err)
	}
	if _, err := q.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" || left(f) != nil {
		t.Errorf("left over: %s %q", d, left(f))
	}
}

// Without Cilium nothing can keep the node out: that is planned, and found, as a
// leak.
func TestProbesCantBeKeptOut(t *testing.T) {
	f, _, r := shop(t)
	f.bare = true
	q := build(t, podQuarantine, Deps{Cluster: f}, &QuarantineConfig{})
	p, done := must(t, q, r)
	const want = "leaks: traffic with the pod's own node, the kubelet's probes with it: only Cilium can keep it out"
	seen := verified(t, q, r, p, done)
	if len(p.Writes) != 2 || !has(p.Notes, want) || !has(seen.Notes, want) || has(seen.Notes, "held: by all") || seen.Result != event.ResultPartial {
		t.Errorf("%q\n%+v", p.Notes, seen)
	}
}

// The pods of an isolated node are held as the parameter says.
func TestIsolateWithoutProbes(t *testing.T) {
	f := newFake()
	uid := f.put(t, "nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})
	p := pod("web-1", map[string]string{"app": "web"})
	p.Spec.NodeName = "n1"
	f.put(t, "pods", p)
	before := metadata(t, f, "pods", "web-1")
	c := newIsolate()
	if c.KeepProbes = false; c.check() == nil {
		t.Error("without quarantine there are no probes to cut")
	}
	c.Quarantine = true
	a, r := build(t, nodeIsolate, Deps{Cluster: f}, c), nodeRequest("run1/isolate", "n1", uid)
	plan, done := must(t, a, r)
	seen := verified(t, a, r, plan, done)
	if !has(plan.Notes, "kept out by Cilium") || seen.Result == event.ResultPartial || len(left(f)) != 2 {
		t.Errorf("%q %+v %q", plan.Notes, seen, left(f))
	}
	if _, err := a.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" || left(f) != nil {
		t.Errorf("left over: %s %q", d, left(f))
	}
}

// TestKeepProbes: only Cilium can keep the kubelet's probes out; what they can't
// be kept out with says so, and whatever stays open is in the plan.
func TestKeepProbes(t *testing.T) {
	host := func(b barrier) bool { return strings.Contains(fmt.Sprint(b.cilium().Body), "host") }
	cut := barrier{namespace: ns, ingress: true, egress: true, only: true, cutProbes: true}
	kept := cut
	kept.cutProbes = false
	if !host(cut) || host(kept) {
		t.Errorf("cut %v, kept %v", cut.cilium().Body, kept.cilium().Body)
	}
	if n := cut.probesByCilium(); len(n) != 1 || !strings.Contains(n[0], "kept out") {
		t.Errorf("%q", n)
	}
	if n := kept.probesByCilium(); len(n) != 1 || !strings.Contains(n[0], "stays open") {
		t.Errorf("%q", n)
	}
	if w := cut.probes(wall{}); len(w.open) != 1 || len(w.notes) != 0 {
		t.Errorf("%+v", w)
	}
	if w := kept.probes(wall{}); len(w.open) != 0 || len(w.notes) != 1 {
		t.Errorf("%+v", w)
	}
	out := barrier{namespace: ns, egress: true, only: true, cutProbes: true}
	if w := out.probes(wall{}); len(w.open)+len(w.notes) != 0 || out.probesByCilium() != nil {
		t.Errorf("of egress alone it says %+v", w)
	}
}

// TestProbesStay: a plan names the probes for which the pod's own node is let in.
func TestProbesStay(t *testing.T) {
	p := pod("web", nil)
	if n := probeNotes(p, false); n != nil {
		t.Errorf("of no probes it says %q", n)
	}
	on := func(h corev1.ProbeHandler) *corev1.Probe { return &corev1.Probe{ProbeHandler: h} }
	p.Spec.Containers = []corev1.Container{
		{Name: "web", LivenessProbe: on(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("http")}}), ReadinessProbe: on(corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}})},
		{Name: "side", StartupProbe: on(corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 9}}), LivenessProbe: on(corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}})},
	}
	want := "(web liveness by HTTP on port http, web readiness by TCP on port 8080, side startup by gRPC on port 9)"
	if n := probeNotes(p, false); len(n) != 1 || !strings.Contains(n[0], want) {
		t.Errorf("it says %q", n)
	}
	for range 20 {
		p.Spec.Containers = append(p.Spec.Containers, p.Spec.Containers[0])
	}
	if n := probeNotes(p, false); len(n) != 1 || !strings.Contains(n[0], "35 more") {
		t.Errorf("of many it says %q", n)
	}
}
