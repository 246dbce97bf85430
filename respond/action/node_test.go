package action

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

func TestNodeConfigs(t *testing.T) {
	isolate := func(change func(*IsolateConfig)) *IsolateConfig { c := newIsolate(); change(c); return c }
	for name, configs := range map[string][]any{
		nodeLabel: {
			&NodeLabelConfig{}, &NodeLabelConfig{Labels: map[string]string{"firebreak.io/x": "y"}},
			&NodeLabelConfig{Labels: map[string]string{"node-role.kubernetes.io/control-plane": ""}}, &NodeLabelConfig{Labels: map[string]string{"k8s.io/x": ""}},
		},
		nodeTaint: {
			&TaintConfig{}, &TaintConfig{Key: "a b", Effect: "NoSchedule"}, &TaintConfig{Key: "a", Effect: "Never"},
			&TaintConfig{Key: "node.kubernetes.io/unschedulable", Effect: "NoSchedule"},
		},
		nodeDrain: {&DrainConfig{}, &DrainConfig{AtMost: 1, Within: -1}, &DrainConfig{AtMost: 1, Leave: []string{"A B"}}, &DrainConfig{AtMost: 1 << 20}},
		nodeIsolate: {
			isolate(func(c *IsolateConfig) { c.AtMost = 0 }), isolate(func(c *IsolateConfig) { c.Pods = map[string]string{"a": "b"} }),
			isolate(func(c *IsolateConfig) { c.Quarantine, c.Effect = true, "NoExecute" }), isolate(func(c *IsolateConfig) { c.Key = "" }),
		},
	} {
		k, _ := Lookup(name)
		for _, c := range configs {
			if _, err := k.New(Deps{}, c); err == nil {
				t.Errorf("%s accepts %+v", name, c)
			}
		}
	}
}

// Two runs hold a cordon, one by node.cordon and one by node.isolate: the last
// one out opens the node.
func TestCordonAndIsolation(t *testing.T) {
	f := newFake()
	uid := f.put(t, "nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})
	d := Deps{Cluster: f}
	one, two := nodeRequest("run1/cordon", "n1", uid), nodeRequest("run2/isolate", "n1", uid)
	cordon, isolate := build(t, nodeCordon, d, nil), build(t, nodeIsolate, d, nil)
	_, done := must(t, cordon, one)
	_, done2 := must(t, isolate, two)
	if _, err := cordon.Undo(t.Context(), one, done, ""); err != nil {
		t.Fatal(err)
	}
	n, _ := f.Node(t.Context(), "n1")
	if !n.Spec.Unschedulable || len(n.Spec.Taints) != 1 || n.Spec.Taints[0].Key != taintKey {
		t.Error("the first to end freed the node", n.Spec)
	}
	if _, err := isolate.Undo(t.Context(), two, done2, ""); err != nil {
		t.Fatal(err)
	}
	if n, _ = f.Node(t.Context(), "n1"); n.Spec.Unschedulable || len(n.Spec.Taints) > 0 || len(n.Annotations) > 0 {
		t.Error(n.Spec, n.Annotations)
	}
}

// A taint of somebody else stays; one of another value is in the way.
func TestTaintOfOthers(t *testing.T) {
	f := newFake()
	uid := f.put(t, "nodes", &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n1"},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}, {Key: "b", Value: "x", Effect: corev1.TaintEffectNoSchedule}}},
	})
	r := nodeRequest("run1/taint", "n1", uid)
	_, done := must(t, build(t, nodeTaint, Deps{Cluster: f}, &TaintConfig{Key: "a", Effect: "NoSchedule"}), r)
	if done.Result != event.ResultNothing {
		t.Error(done)
	}
	other := build(t, nodeTaint, Deps{Cluster: f}, &TaintConfig{Key: "b", Value: "y", Effect: "NoSchedule"})
	if _, err := other.Plan(t.Context(), r); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

func TestStays(t *testing.T) {
	yes := true
	owner := func(kind string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: kind, Controller: &yes}}
	}
	now := metav1.Now()
	tests := map[string]struct {
		change func(*corev1.Pod)
		want   string
	}{
		"a plain one":         {func(*corev1.Pod) {}, ""},
		"of a ReplicaSet":     {func(p *corev1.Pod) { p.OwnerReferences = owner("ReplicaSet") }, ""},
		"of a DaemonSet":      {func(p *corev1.Pod) { p.OwnerReferences = owner("DaemonSet") }, "of a DaemonSet"},
		"static":              {func(p *corev1.Pod) { p.OwnerReferences = owner("Node") }, "static"},
		"a mirror":            {func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }, "static"},
		"finished":            {func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, "finished"},
		"deleted":             {func(p *corev1.Pod) { p.DeletionTimestamp = &now }, "deleted already"},
		"held":                {func(p *corev1.Pod) { p.Labels = map[string]string{HoldKey: HoldQuarantine} }, "in quarantine"},
		"of the cluster":      {func(p *corev1.Pod) { p.Namespace = "kube-system" }, "of the cluster itself"},
		"critical":            {func(p *corev1.Pod) { p.Spec.PriorityClassName = "system-node-critical" }, "of the cluster itself"},
		"of a left namespace": {func(p *corev1.Pod) { p.Namespace = "bank" }, "of namespaces that are left out"},
	}
	for name, tt := range tests {
		p := pod("p", nil)
		tt.change(p)
		if got := stays(p, []string{"bank"}); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// A drain's plan for another node, or with another write in it, is not done.
func TestDrainRefusesOtherPlans(t *testing.T) {
	f := newFake()
	uid := f.put(t, "nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: corev1.NodeSpec{Unschedulable: true}})
	a := build(t, nodeDrain, Deps{Cluster: f}, nil)
	r := nodeRequest("run1/drain", "n1", uid)
	p := event.Plan{Action: nodeDrain, Target: r.Target}
	w, err := eviction(pod("web-1", nil))
	if err != nil {
		t.Fatal(err)
	}
	w.UID = "u1"
	for name, change := range map[string]func(*event.Plan){
		"another action":   func(p *event.Plan) { p.Action = nodeCordon },
		"another node":     func(p *event.Plan) { p.Target.UID = "other" },
		"a pod of no name": func(p *event.Plan) { p.Writes = []event.Write{w} },
		"a delete":         func(p *event.Plan) { x := w; x.Verb, x.Subresource = "delete", ""; p.Writes = []event.Write{x} },
		"no UID":           func(p *event.Plan) { x := w; x.UID = ""; p.Writes = []event.Write{x} },
		"a pod of other name": func(p *event.Plan) {
			p.Writes, p.Also = []event.Write{w}, []event.Ref{{Namespace: ns, Name: "web-2", UID: "u1"}}
		},
	} {
		other := p
		other.Writes = slices.Clone(p.Writes)
		change(&other)
		if _, err := a.Do(t.Context(), r, other); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The plan of an isolation has the same digest once it has landed, although the
// node's controllers taint it because of that, and another one for another deed.
func TestIsolateIsTheSameDeed(t *testing.T) {
	f := newFake()
	uid := f.put(t, "nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "a", Effect: corev1.TaintEffectNoSchedule}}}})
	r := nodeRequest("run1/isolate", "n1", uid)
	a := build(t, nodeIsolate, Deps{Cluster: f}, nil)
	digest := func() string {
		t.Helper()
		p, err := a.Plan(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	before := digest()
	must(t, a, r)
	taint := func(key string) {
		n, err := f.Node(t.Context(), "n1")
		if err != nil {
			t.Fatal(err)
		}
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoSchedule})
		f.put(t, "nodes", n)
	}
	taint(corev1.TaintNodeUnschedulable)
	taint(corev1.TaintNodeNotReady)
	if after := digest(); after != before {
		t.Error("the digest is another once it has landed")
	}
	taint("somebody.example/else")
	if after := digest(); after == before {
		t.Error("the taint of somebody else, which the patch would write, is not in the digest")
	}
}
