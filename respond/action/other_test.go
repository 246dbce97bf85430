package action

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

func TestLabelAndBack(t *testing.T) {
	f := newFake()
	uid := f.put(t, "pods", pod("web-1", map[string]string{"a": "1", "keep": "x", "same": "s"}))
	before := metadata(t, f, "pods", "web-1")
	l := build(t, podLabel, Deps{Cluster: f}, &LabelConfig{Labels: map[string]string{"a": "2", "b": "3", "same": "s"}})
	r := podRequest("run1/mark", "web-1", uid)
	p, done := must(t, l, r)
	if done.Result != event.ResultApplied || string(done.Before) != `{"labels":{"a":"1","b":null}}` {
		t.Errorf("%s %s", done.Result, done.Before)
	}
	if !slices.Contains(p.Notes, `label same is "s" already and stays so`) {
		t.Error(p.Notes)
	}
	now, _ := f.Pod(t.Context(), ns, "web-1")
	if d := cmp.Diff(map[string]string{"a": "2", "b": "3", "keep": "x", "same": "s", HeldKey: HeldYes}, now.Labels); d != "" {
		t.Error(d)
	}
	again, err := l.Plan(t.Context(), r)
	if err != nil || digest(t, again) != digest(t, p) {
		t.Error("the digest changed once the effect had landed", err)
	}
	if _, err := l.Do(t.Context(), r, p); err != nil {
		t.Errorf("Do again: %v", err)
	}
	if _, err := l.Undo(t.Context(), r, done, event.AtEndRestore); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
		t.Error(d)
	}
	if _, err := l.Do(t.Context(), r, p); !errors.Is(err, ErrConflict) {
		t.Errorf("late Do: %v", err)
	}
}

func TestLabelOfOthers(t *testing.T) {
	f := newFake()
	uid := f.put(t, "pods", pod("web-1", map[string]string{"a": "1"}))
	d := Deps{Cluster: f}
	l := build(t, podLabel, d, &LabelConfig{Labels: map[string]string{"a": "2", "b": "3"}})
	first, second := podRequest("run1/mark", "web-1", uid), podRequest("run2/mark", "web-1", uid)
	_, done := must(t, l, first)
	_, done2 := must(t, l, second)
	other := build(t, podLabel, d, &LabelConfig{Labels: map[string]string{"a": "9"}})
	if _, err := other.Plan(t.Context(), second); !errors.Is(err, ErrRefused) {
		t.Errorf("another value for a held label: %v", err)
	}
	if _, err := l.Undo(t.Context(), first, done, ""); err != nil {
		t.Fatal(err)
	}
	now, _ := f.Pod(t.Context(), ns, "web-1")
	if now.Labels["a"] != "2" {
		t.Error("the first to end restored")
	}
	now.Labels["b"] = "somebody's"
	f.put(t, "pods", now)
	before := metadata(t, f, "pods", "web-1")
	what := `label b was set to "somebody's" meanwhile and is left; the hold set "3"`
	if _, err := l.Undo(t.Context(), second, done2, ""); !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), what) {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, metadata(t, f, "pods", "web-1")); d != "" {
		t.Fatal("the undo that stopped wrote:", d)
	}
	second.Over = true
	u, err := l.Undo(t.Context(), second, done2, "")
	if err != nil || !slices.Contains(u.Notes, what) {
		t.Fatal(u, err)
	}
	now, _ = f.Pod(t.Context(), ns, "web-1")
	if d := cmp.Diff(map[string]string{"a": "1", "b": "somebody's"}, now.Labels); d != "" || len(now.Annotations) > 0 {
		t.Error(d, now.Annotations)
	}
}

func TestLabelConfig(t *testing.T) {
	bad := []map[string]string{nil, {"firebreak.io/hold": "x"}, {"firebreak.io/x": ""}, {"a b": "x"}, {"a": "not a value!"}, {"": "x"}}
	k, _ := Lookup(podLabel)
	for _, labels := range bad {
		if _, err := k.New(Deps{}, &LabelConfig{Labels: labels}); err == nil {
			t.Errorf("accepts %v", labels)
		}
	}
	f := newFake()
	uid := f.put(t, "pods", pod("web-1", map[string]string{"a": "1"}))
	_, done := must(t, build(t, podLabel, Deps{Cluster: f}, &LabelConfig{Labels: map[string]string{"a": "1"}}), podRequest("k", "web-1", uid))
	if done.Result != event.ResultNothing || len(f.landed) > 0 {
		t.Error(done)
	}
}

func nodeRequest(key, name, uid string) Request {
	r := Request{Key: key, Target: event.NodeRef(name), Now: noon, Until: noon}
	r.Target.UID = uid
	return r
}

func TestCordonAndBack(t *testing.T) {
	f := newFake()
	uid := f.put(t, "nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})
	c := build(t, nodeCordon, Deps{Cluster: f}, nil)
	first, second := nodeRequest("run1/cordon", "n1", uid), nodeRequest("run2/cordon", "n1", uid)
	p, done := must(t, c, first)
	if _, err := c.Do(t.Context(), first, p); err != nil {
		t.Errorf("Do again: %v", err)
	}
	p2, done2 := must(t, c, second)
	if digest(t, p) != digest(t, p2) {
		t.Error("two digests")
	}
	if _, err := c.Undo(t.Context(), first, done, ""); err != nil {
		t.Fatal(err)
	}
	if n, _ := f.Node(t.Context(), "n1"); !n.Spec.Unschedulable {
		t.Error("the first to end uncordoned")
	}
	if _, err := c.Undo(t.Context(), second, done2, ""); err != nil {
		t.Fatal(err)
	}
	if n, _ := f.Node(t.Context(), "n1"); n.Spec.Unschedulable || len(n.Annotations) > 0 {
		t.Error(n.Spec, n.Annotations)
	}
	if _, err := c.Do(t.Context(), first, p); !errors.Is(err, ErrConflict) {
		t.Errorf("late Do: %v", err)
	}
	stale := first
	stale.Target.UID = "old"
	if _, err := c.Plan(t.Context(), stale); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if u, err := c.Undo(t.Context(), stale, done, ""); err != nil || u.Result != event.ResultGone {
		t.Error(u, err)
	}
}

func TestCordonOfSomebodyElse(t *testing.T) {
	f := newFake()
	uid := f.put(t, "nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Spec: corev1.NodeSpec{Unschedulable: true}})
	c := build(t, nodeCordon, Deps{Cluster: f}, nil)
	r := nodeRequest("run1/cordon", "n1", uid)
	_, done := must(t, c, r)
	if done.Result != event.ResultNothing {
		t.Error(done)
	}
	if _, err := c.Undo(t.Context(), r, done, ""); err != nil {
		t.Fatal(err)
	}
	if n, _ := f.Node(t.Context(), "n1"); !n.Spec.Unschedulable || len(f.landed) > 0 {
		t.Error("a human's cordon was touched")
	}
}

// A worker stops before it sends its patch, another undoes the step.
func TestFence(t *testing.T) {
	f := newFake()
	node := f.put(t, "nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}})
	uid := f.put(t, "pods", pod("p", map[string]string{"a": "1"}))
	d := Deps{Cluster: f}
	tests := map[string]struct {
		a Action
		r Request
	}{
		podQuarantine: {build(t, podQuarantine, d, nil), podRequest("k/q", "p", uid)},
		podLabel:      {build(t, podLabel, d, &LabelConfig{Labels: map[string]string{"a": "2"}}), podRequest("k/l", "p", uid)},
		nodeCordon:    {build(t, nodeCordon, d, nil), nodeRequest("k/c", "n1", node)},
	}
	for name, tt := range tests {
		p, err := tt.a.Plan(t.Context(), tt.r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tt.a.Undo(t.Context(), tt.r, event.Receipt{}, event.AtEndRestore); err != nil {
			t.Fatal(err)
		}
		if _, err := tt.a.Do(t.Context(), tt.r, p); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: the late write: %v", name, err)
		}
	}
	p, _ := f.Pod(t.Context(), ns, "p")
	n, _ := f.Node(t.Context(), "n1")
	if len(p.Annotations)+len(n.Annotations) > 0 || p.Labels["a"] != "1" || n.Spec.Unschedulable {
		t.Error("traces are left", p, n)
	}
}

func TestEventOnce(t *testing.T) {
	f := newFake()
	e := build(t, notifyEvent, Deps{Cluster: f}, nil)
	r := podRequest("run1/tell", "web-1", "u1")
	r.Run = event.Run{ID: "run1", Playbook: "contain", Created: noon, Finding: event.Finding{Title: strings.Repeat("é", 2000), Severity: "high"}}
	p, done := must(t, e, r)
	if done.Result != event.ResultSent {
		t.Error(done)
	}
	r.Now = r.Now.Add(1)
	p2, _ := must(t, e, r)
	if digest(t, p) != digest(t, p2) || len(f.landed) != 1 {
		t.Error("not the same Event twice")
	}
	if _, err := e.Undo(t.Context(), r, done, ""); !errors.Is(err, ErrIrreversible) {
		t.Error(err)
	}
	r.Target = event.Ref{Resource: "services", Namespace: ns, Name: "x"}
	if _, err := e.Plan(t.Context(), r); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
	k, _ := Lookup(notifyEvent)
	for _, c := range []EventConfig{{}, {Reason: "x", Type: "Odd"}, {Reason: "x", Type: "Normal", Note: strings.Repeat("x", 2000)}} {
		if _, err := k.New(Deps{}, &c); err == nil {
			t.Errorf("accepts %+v", c)
		}
	}
}

// A plan for one target must not be done to another, whatever it lists.
func TestDoRefusesOtherPlans(t *testing.T) {
	f, q, r := shop(t)
	p, err := q.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	wide := `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"firebreak-hold","namespace":"shop"},"spec":{"podSelector":{}}}`
	changes := map[string]func(*event.Plan){
		"another action":   func(p *event.Plan) { p.Action = podLabel },
		"another target":   func(p *event.Plan) { p.Target.Name = "web-2" },
		"another UID":      func(p *event.Plan) { p.Writes[1].UID = "u2" },
		"another pod":      func(p *event.Plan) { p.Writes[1].Name = "web-2" },
		"a delete":         func(p *event.Plan) { p.Writes[1].Verb = "delete" },
		"a wider policy":   func(p *event.Plan) { p.Writes[0].Body = []byte(wide) },
		"a policy of else": func(p *event.Plan) { p.Writes[0].Namespace = "kube-system" },
		"one write":        func(p *event.Plan) { p.Writes = p.Writes[:1] },
	}
	for name, change := range changes {
		other := p
		other.Writes = slices.Clone(p.Writes)
		change(&other)
		if _, err := q.Do(t.Context(), r, other); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(f.landed) > 0 {
		t.Error(f.landed)
	}
}

func TestOfflinePlans(t *testing.T) {
	d := Deps{Cluster: Offline{}, Offline: true}
	for _, k := range Kinds() {
		var config any
		if k.Example != nil {
			config = k.Example()
		}
		a := build(t, k.Name, d, config)
		r := exampleRequest(k)
		p, err := a.Plan(t.Context(), r)
		// What these change is found in the cluster.
		finds := slices.Contains([]string{gitopsSuspend, identityUnbind, workloadRollback}, k.Name)
		if err == nil && finds && len(p.Writes) == 0 && slices.Contains(p.Notes, noteOffline) {
			continue
		}
		if err != nil || len(p.Writes) == 0 && !k.Evidence && k.Name != nodeDrain {
			t.Fatal(k.Name, p, err)
		}
		digest(t, p)
		if len(p.Writes) == 0 {
			continue // what a capture would find, or what runs on a node, is not known
		}
		if k.Class == Effect && !slices.Contains(p.Notes, noteOffline) {
			t.Errorf("%s: notes %v", k.Name, p.Notes)
		}
		if _, err := a.Do(t.Context(), r, p); !errors.Is(err, ErrOffline) {
			t.Errorf("%s wrote offline: %v", k.Name, err)
		}
	}
}

// exampleRequest is a step about something that a kind works on.
func exampleRequest(k Kind) Request {
	r := podRequest("run1/s", "web-1", "")
	if !k.Allows("pods") {
		r.Target = event.Ref{Resource: k.Targets[0], Name: "x", Namespace: ns}
		if x := slices.IndexFunc(k.Holds, func(x Resource) bool { return x.Resource == k.Targets[0] }); x >= 0 {
			r.Target.Group = k.Holds[x].Group
		}
		if strings.HasPrefix(k.Name, "workload.") {
			r.Target.Group = map[string]string{"cronjobs": "batch"}[k.Targets[0]]
			if r.Target.Group == "" {
				r.Target.Group = "apps"
			}
		}
		if k.Targets[0] == "nodes" {
			r.Target = event.NodeRef("n1")
		}
	}
	return r
}

func TestCatalogue(t *testing.T) {
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
		if k.Doc == "" || k.Config == nil || k.New == nil || k.Class != Effect && k.Class != Notify && k.Class != Keep || k.Config() == k.Config() && k.Config() == nil {
			t.Errorf("%+v", k)
		}
		if k.Reversible && k.Class != Effect {
			t.Errorf("%s: no message has an undo", k.Name)
		}
		var config any
		if k.Example != nil {
			config = k.Example()
		}
		a, err := k.New(Deps{Cluster: Offline{}, Offline: true}, config)
		if err != nil {
			t.Errorf("%s: its example: %v", k.Name, err)
		}
		if _, verifies := a.(Verifier); k.Class == Effect && !verifies {
			t.Errorf("%s: an effect that nobody verifies", k.Name)
		}
		grave := slices.ContainsFunc(k.Needs, func(p Permission) bool { return p.Grave })
		if grave && !k.OptIn {
			t.Errorf("%s: grave permissions come with a playbook only", k.Name)
		}
	}
	all, err := Permissions(names...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kube.RoleManifest(kube.Account{Namespace: "firebreak", Name: "firebreak"}, all); err != nil {
		t.Error(err)
	}
	if _, err := Permissions("pod.explode"); err == nil {
		t.Error("an unknown action has permissions")
	}
}
