package guard

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// control is what operators say, or that it can't be read.
type control struct {
	by      string
	ceiling event.Mode
	err     error
}

func (c *control) Paused(context.Context) (bool, string, error) { return c.by != "", c.by, c.err }
func (c *control) Ceiling(context.Context) (event.Mode, error)  { return c.ceiling, c.err }

// place is a cluster with one pod and one node in any namespace.
type place struct {
	pod       corev1.Pod
	node      corev1.Node
	namespace corev1.Namespace
	err       error
	reads     int
}

func (p *place) Pod(context.Context, string, string) (*corev1.Pod, error) {
	p.reads++
	return &p.pod, p.err
}

func (p *place) Node(context.Context, string) (*corev1.Node, error) { p.reads++; return &p.node, p.err }

func (p *place) Namespace(context.Context, string) (*corev1.Namespace, error) {
	p.reads++
	return &p.namespace, p.err
}

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is everything that a guard can look at; a case changes it.
type world struct {
	control *control
	place   *place
	o       Options
	check   Check
}

func good() *world {
	target := event.PodRef("shop", "web")
	target.UID = "u1"
	w := &world{control: &control{ceiling: event.ModeAct}, place: &place{}}
	w.o = Options{
		Control: w.control, Cluster: w.place, Self: "system:serviceaccount:firebreak:responder",
		Node: "n-own", Namespaces: []string{"payments"}, Nodes: []string{"n-db"},
	}
	w.check = Check{
		Effect: true, Now: now,
		Run: event.Run{
			Mode: event.ModeAct, Target: target,
			Finding: event.Finding{Rule: "shell", Trust: event.TrustRuntime, Time: now.Add(-time.Minute), Received: now.Add(-time.Second)},
		},
		Plan: event.Plan{Target: target, Writes: []event.Write{{Verb: "patch", UID: "u1"}}},
	}
	return w
}

func node(name string) func(*world) {
	return func(w *world) {
		t := event.NodeRef(name)
		t.UID = "u1"
		w.check.Plan.Target, w.check.Run.Target = t, t
	}
}

func in(namespace string) func(*world) {
	return func(w *world) { w.check.Plan.Target.Namespace, w.check.Run.Target.Namespace = namespace, namespace }
}

func TestEachGuard(t *testing.T) {
	away := errors.New("away")
	tests := []struct {
		guard, name string
		change      func(*world)
		want        event.Decision
		reason      string
	}{
		{"freshness", "just now", func(*world) {}, event.Pass, "1m0s old"},
		{"freshness", "old by the source's clock", func(w *world) { w.check.Run.Finding.Time = now.Add(-11 * time.Minute) }, event.Ask, "11m0s old"},
		{"freshness", "old by ours", func(w *world) { w.check.Run.Finding.Received = now.Add(-11 * time.Minute) }, event.Ask, "11m0s old"},
		{"freshness", "no time at all", func(w *world) { w.check.Run.Finding.Time = time.Time{} }, event.Ask, "old"},
		{"freshness", "old, to tell", func(w *world) { w.check.Run.Finding.Time = time.Time{}; w.check.Effect = false }, event.Pass, ""},

		{"loop", "somebody", func(w *world) { w.check.Run.Finding.Actor.User = "mallory" }, event.Pass, ""},
		{"loop", "ourselves", func(w *world) { w.check.Run.Finding.Actor.User = w.o.Self }, event.Deny, "Firebreak itself"},
		{"loop", "ourselves, to tell", func(w *world) { w.check.Run.Finding.Actor.User = w.o.Self; w.check.Effect = false }, event.Deny, ""},
		{"loop", "nobody, outside a cluster", func(w *world) { w.o.Self = "" }, event.Pass, ""},

		{"mode", "act", func(*world) {}, event.Pass, "act"},
		{"mode", "ask under act", func(w *world) { w.check.Run.Mode = event.ModeAsk }, event.Ask, "mode ask under ceiling act"},
		{"mode", "act under ask", func(w *world) { w.control.ceiling = event.ModeAsk }, event.Ask, "mode act under ceiling ask"},
		{"mode", "act under observe", func(w *world) { w.control.ceiling = event.ModeObserve }, event.Deny, "ceiling is observe"},
		{"mode", "unreadable", func(w *world) { w.control.err = away }, event.Wait, "can't be read: away"},
		{"mode", "observe writes nothing", func(w *world) { w.check.Run.Mode = event.ModeObserve; w.control.err = away }, event.Pass, ""},
		{"mode", "to tell", func(w *world) { w.check.Effect = false; w.control.ceiling = event.ModeObserve }, event.Pass, ""},

		{"pause", "not paused", func(*world) {}, event.Pass, ""},
		{"pause", "paused", func(w *world) { w.control.by = "ann" }, event.Wait, "paused by ann"},
		{"pause", "unreadable counts as paused", func(w *world) { w.control.err = away }, event.Wait, "can't be read: away"},
		{"pause", "paused, to tell", func(w *world) { w.control.by = "ann"; w.check.Effect = false }, event.Pass, ""},

		{"protected", "an ordinary pod", func(*world) {}, event.Pass, ""},
		{"protected", "kube-system", in("kube-system"), event.Deny, "namespace kube-system is protected"},
		{"protected", "by configuration", in("payments"), event.Deny, "protected"},
		{"protected", "our own namespace, known by our name", in("firebreak"), event.Deny, "protected"},
		{"protected", "by annotation", func(w *world) {
			w.place.namespace.Annotations = map[string]string{"firebreak.io/protected": "true"}
		}, event.Deny, "annotated"},
		{"protected", "by a label of the pod, which is no shield", func(w *world) {
			w.place.pod.Labels = map[string]string{"firebreak.io/protected": "true"}
		}, event.Pass, ""},
		{"protected", "DNS elsewhere", func(w *world) { w.place.pod.Labels = map[string]string{"k8s-app": "kube-dns"} }, event.Ask, "k8s-app=kube-dns"},
		{"protected", "ingress elsewhere", func(w *world) {
			w.place.pod.Labels = map[string]string{"app.kubernetes.io/name": "traefik"}
		}, event.Ask, "traefik"},
		{"protected", "critical", func(w *world) { w.place.pod.Spec.PriorityClassName = "system-node-critical" }, event.Deny, "priority class"},
		{"protected", "mirror", func(w *world) {
			w.place.pod.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		}, event.Deny, "mirror"},
		{"protected", "static", func(w *world) {
			w.place.pod.OwnerReferences = []metav1.OwnerReference{{Kind: "Node"}}
		}, event.Deny, "static"},
		{"protected", "unreadable", func(w *world) { w.place.err = away }, event.Wait, "can't be read: away"},
		{"protected", "to tell", func(w *world) { in("kube-system")(w); w.check.Effect = false }, event.Pass, ""},
		{"protected", "an ordinary node", node("n1"), event.Pass, ""},
		{"protected", "our node", node("n-own"), event.Deny, "n-own"},
		{"protected", "a node by configuration", node("n-db"), event.Deny, "n-db"},
		{"protected", "a control-plane node", func(w *world) {
			node("n1")(w)
			w.place.node.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
		}, event.Deny, "control-plane"},
		{"protected", "an unreadable node", func(w *world) { node("n1")(w); w.place.err = away }, event.Wait, "away"},

		{"target", "known by UID", func(*world) {}, event.Pass, ""},
		{"target", "no UID", func(w *world) { w.check.Plan.Target.UID, w.check.Run.Target.UID = "", "" }, event.Deny, "no UID"},
		{"target", "no name", func(w *world) { w.check.Plan.Target.Name = "" }, event.Deny, "no name"},
		{"target", "another object", func(w *world) { w.check.Plan.Target.UID = "u2" }, event.Deny, "another object"},
		{"target", "a write to another", func(w *world) { w.check.Plan.Writes[0].UID = "u2" }, event.Deny, "not bound"},
		{"target", "a write to any", func(w *world) { w.check.Plan.Writes[0].UID = "" }, event.Deny, "not bound"},
		{"target", "a delete of another", func(w *world) {
			w.check.Plan.Writes = append(w.check.Plan.Writes, event.Write{Verb: "delete", Resource: "pods", UID: "u2"})
		}, event.Deny, "not bound"},
		{"target", "observing", func(w *world) { w.check.Plan.Target.UID = ""; w.check.Run.Mode = event.ModeObserve }, event.Pass, ""},

		{"trust", "runtime", func(*world) {}, event.Pass, "T2"},
		{"trust", "text of a log", func(w *world) { w.check.Run.Finding.Trust = event.TrustText }, event.Ask, "T0"},
		{"trust", "a name only", func(w *world) { w.check.Run.Finding.Trust = event.TrustName }, event.Ask, "T1"},
		{"trust", "a model alone", func(w *world) { w.check.Run.Finding.Rule, w.check.Run.Finding.Model = "", "m" }, event.Ask, "model"},
		{"trust", "to tell", func(w *world) { w.check.Run.Finding.Trust = event.TrustText; w.check.Effect = false }, event.Pass, ""},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		seen[tt.guard] = true
		t.Run(tt.guard+"/"+tt.name, func(t *testing.T) {
			w := good()
			tt.change(w)
			for _, v := range New(w.o).Judge(t.Context(), w.check) {
				if v.Guard == tt.guard && (v.Decision != tt.want || !strings.Contains(v.Reason, tt.reason) || v.Reason == "") {
					t.Errorf("says %s: %s; want %s with %q", v.Decision, v.Reason, tt.want, tt.reason)
				}
			}
		})
	}
	for _, k := range Kinds() {
		if !seen[k.Name] {
			t.Errorf("guard %s is not tested here", k.Name)
		}
	}
}

func TestSetAsksAllInOrder(t *testing.T) {
	w := good()
	verdicts := New(w.o).Judge(t.Context(), w.check)
	var names []string
	for _, v := range verdicts {
		names = append(names, v.Guard)
		if v.Decision != event.Pass {
			t.Errorf("%s says %s of what nothing stands against: %s", v.Guard, v.Decision, v.Reason)
		}
	}
	if !slices.IsSorted(names) || len(names) != len(Kinds()) {
		t.Errorf("asked %v", names)
	}
	for _, k := range Kinds() {
		if k.Doc == "" || k.New == nil {
			t.Errorf("guard %s says nothing of itself", k.Name)
		}
	}
}

// TestStopped: whether everything is held back is told without the cluster,
// and the other verdicts stay as they were.
func TestStopped(t *testing.T) {
	w := good()
	set := New(w.o)
	before := []event.Verdict{{Guard: "freshness", Decision: event.Ask, Reason: "old"}, {Guard: "pause", Decision: event.Pass}}
	if _, stopped := set.Stopped(t.Context(), w.check, before); stopped {
		t.Error("stopped although nobody paused")
	}
	for _, stop := range []func(){func() { w.control.by = "ann" }, func() { w.control.err = errors.New("away") }} {
		w.control.by, w.control.err = "", nil
		stop()
		got, stopped := set.Stopped(t.Context(), w.check, before)
		if !stopped || len(got) != 2 || got[0] != before[0] || got[1].Decision != event.Wait {
			t.Errorf("stopped is %v with %+v", stopped, got)
		}
		if got, stopped = set.Stopped(t.Context(), w.check, nil); !stopped || len(got) != 1 {
			t.Errorf("without verdicts before: %v with %+v", stopped, got)
		}
	}
	if before[1].Decision != event.Pass {
		t.Error("the verdicts of before were written to")
	}
	if w.place.reads != 0 {
		t.Errorf("%d reads of the cluster", w.place.reads)
	}
}

// TestHostileNames: text of others in a target is told, and breaks nothing.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"", "../..", "a\x00b", strings.Repeat("x", 1<<16), "\u202e"} {
		w := good()
		w.check.Plan.Target.Name, w.check.Plan.Target.Namespace = name, name
		if v := New(w.o).Judge(t.Context(), w.check); len(v) != len(Kinds()) {
			t.Errorf("%.20q: %d verdicts", name, len(v))
		}
	}
}
