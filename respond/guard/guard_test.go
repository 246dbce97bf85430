package guard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
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
	nodes     []corev1.Node
	services  []corev1.Service
	backends  []kube.Backend
	owner     kube.Owner
	object    map[string]any
	failed    float64
	requests  int
	err       error
	// gone is what is said of the target alone.
	gone  error
	reads int
}

func (p *place) Pod(context.Context, string, string) (*corev1.Pod, error) {
	p.reads++
	return &p.pod, cmp.Or(p.gone, p.err)
}

func (p *place) Node(context.Context, string) (*corev1.Node, error) {
	p.reads++
	return &p.node, cmp.Or(p.gone, p.err)
}

func (p *place) Namespace(context.Context, string) (*corev1.Namespace, error) {
	p.reads++
	return &p.namespace, p.err
}

func (p *place) Nodes(context.Context) ([]corev1.Node, error) { p.reads++; return p.nodes, p.err }

func (p *place) Services(context.Context, string) ([]corev1.Service, error) { return p.services, p.err }

func (p *place) Backends(context.Context) ([]kube.Backend, error) { return p.backends, p.err }

func (p *place) Owner(context.Context, *corev1.Pod) (kube.Owner, error) { return p.owner, p.err }

func (p *place) Get(_ context.Context, _, _, _, ns, name string) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{Object: p.object}
	if p.object == nil {
		o.Object = map[string]any{}
	}
	o.SetNamespace(ns)
	o.SetName(name)
	return o, cmp.Or(p.gone, p.err)
}

func (p *place) Errors() (float64, int) { return p.failed, p.requests }

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// world is everything that a guard can look at; a case changes it.
type world struct {
	control *control
	place   *place
	o       Options
	check   Check
	book    Book
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
		Effect: true, Reversible: true, Hold: time.Hour, Budget: BudgetPods, Now: now,
		Run: event.Run{
			ID: "r1", Version: "v1", Playbook: "contain", Mode: event.ModeAct, Target: target, Steps: []event.Step{{Name: "isolate"}},
			Finding: event.Finding{Rule: "shell", Trust: event.TrustRuntime, Time: now.Add(-time.Minute), Received: now.Add(-time.Second)},
		},
		Plan: event.Plan{Target: target, Action: "pod.quarantine", Writes: []event.Write{{Verb: "patch", Resource: "pods", Namespace: "shop", Name: "web", UID: "u1", ResourceVersion: "7"}}},
	}
	return w
}

// book changes what the ledger holds.
func book(change func(*Book)) func(*world) { return func(w *world) { change(&w.book) } }

// standing are effects that stand, one pod each, of other runs.
func standing(n int, namespace string) func(*Book) {
	return func(b *Book) {
		for i := range n {
			b.Entries = append(b.Entries, Entry{
				Key: fmt.Sprintf("o%d/x", i), Run: fmt.Sprintf("o%d", i), Target: fmt.Sprintf("t%d", i), Budget: BudgetPods, Namespace: namespace,
				Source: "other", Taken: now.Add(-20 * time.Minute),
			})
		}
	}
}

// spread are effects that stand, each in a namespace and of a source of its own.
func spread(n int) func(*Book) {
	return func(b *Book) {
		standing(n, "")(b)
		for i := range b.Entries {
			b.Entries[i].Namespace, b.Entries[i].Source = fmt.Sprint("ns", i), event.Source(fmt.Sprint("s", i))
		}
	}
}

// done is an effect of the same playbook on the same target.
func done(ago time.Duration, rule string) func(*Book) {
	return func(b *Book) {
		b.Entries = []Entry{{
			Key: "o/x", Run: "o", Playbook: "contain", Rule: cmp.Or(rule, "shell"), Target: "u1", Taken: now.Add(-ago), Ended: &now, Source: "other",
		}}
	}
}

// first is the first act of the playbook's version, on a pod of three.
func first(ago time.Duration) func(*Book) {
	return func(b *Book) {
		b.Canaries = map[string]*Canary{"v1": {
			Run: "o", Target: event.PodRef("shop", "first"), Since: now.Add(-ago), Replicas: 3, Owner: &metav1.OwnerReference{Kind: "ReplicaSet", Name: "web"},
		}}
	}
}

// owned makes the pod one of a ReplicaSet.
func owned(replicas int, isReady bool) func(*world) {
	return func(w *world) {
		w.place.owner = kube.Owner{Kind: "ReplicaSet", Name: "web", UID: "rs", Selector: &metav1.LabelSelector{}, Ready: replicas}
		if isReady {
			w.place.pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
	}
}

// nodes makes the target one of n ready nodes, beside one of the control plane.
func nodes(n int) func(*world) {
	return func(w *world) {
		node("m0")(w)
		w.check.Budget, w.check.Plan.Target.UID, w.check.Run.Target.UID = BudgetNodes, "m0", "m0"
		ready := corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}
		for i := range n {
			name := fmt.Sprint("m", i)
			w.place.nodes = append(w.place.nodes, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Status: ready})
		}
	}
}

func policy(body string) func(*world) {
	return func(w *world) {
		w.check.Plan.Writes = append(w.check.Plan.Writes, event.Write{
			Verb: "create", Group: "networking.k8s.io", Resource: "networkpolicies", Namespace: "shop", Name: "p", Body: []byte(body),
		})
	}
}

// button is the switch of another kind.
type button struct {
	why string
	err error
}

func (b button) Paused(context.Context) (bool, string, error) { return b.why != "", b.why, b.err }

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

// judged is what one guard says of a world.
type judged struct {
	guard, name string
	change      func(*world)
	want        event.Decision
	reason      string
}

func TestEachGuard(t *testing.T) {
	away := errors.New("away")
	tests := []judged{
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
		{"mode", "ask under act", func(w *world) { w.check.Run.Mode = event.ModeAsk }, event.Ask, "mode ask"},
		{"mode", "act under ask", func(w *world) { w.control.ceiling = event.ModeAsk }, event.Ask, "mode act, but the ceiling is ask"},
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
		{"protected", "a pod that is gone", missing, event.Pass, "it is gone"},
		{"protected", "one that is gone, of the system", func(w *world) { missing(w); in("kube-system")(w) }, event.Deny, "protected"},
		{"protected", "a node that is gone", func(w *world) { missing(w); node("n1")(w) }, event.Pass, "it is gone"},
		{"protected", "a workload that is gone", func(w *world) {
			missing(w)
			aim(event.Ref{Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"})(w)
		}, event.Pass, "it is gone"},
		{"protected", "to tell", func(w *world) { in("kube-system")(w); w.check.Effect = false }, event.Pass, ""},
		{"protected", "an ordinary node", node("n1"), event.Pass, ""},
		{"protected", "our node", node("n-own"), event.Deny, "n-own"},
		{"protected", "a node by configuration", node("n-db"), event.Deny, "n-db"},
		{"protected", "a control-plane node", func(w *world) {
			node("n1")(w)
			w.place.node.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
		}, event.Deny, "control-plane"},
		{"protected", "an unreadable node", func(w *world) { node("n1")(w); w.place.err = away }, event.Wait, "away"},

		{"protected", "a workload", aim(event.Ref{Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"}), event.Pass, ""},
		{"protected", "a workload of the system", aim(event.Ref{Group: "apps", Resource: "daemonsets", Namespace: "kube-system", Name: "x"}), event.Deny, "kube-system"},
		{"protected", "a workload of critical pods", func(w *world) {
			aim(event.Ref{Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"})(w)
			w.place.object = template(nil, "system-cluster-critical")
		}, event.Deny, "priority class"},
		{"protected", "a workload of DNS", func(w *world) {
			aim(event.Ref{Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"})(w)
			w.place.object = template(map[string]any{"k8s-app": "kube-dns"}, "")
		}, event.Ask, "k8s-app=kube-dns"},
		{"protected", "a workload behind a webhook", func(w *world) {
			aim(event.Ref{Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"})(w)
			w.place.object = template(map[string]any{"app": "hook"}, "")
			w.place.backends = []kube.Backend{{Namespace: "shop", Name: "hook"}}
			w.place.services = []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "hook"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "hook"}}}}
		}, event.Deny, "the API server asks"},
		{"protected", "an unreadable workload", func(w *world) {
			aim(event.Ref{Group: "apps", Resource: "deployments", Namespace: "shop", Name: "web"})(w)
			w.place.err = away
		}, event.Wait, "away"},
		{"protected", "a namespace", aim(event.Ref{Resource: "namespaces", Name: "shop"}), event.Pass, ""},
		{"protected", "a namespace of the system", aim(event.Ref{Resource: "namespaces", Name: "kube-system"}), event.Deny, "protected"},
		{"protected", "a namespace with a webhook", func(w *world) {
			aim(event.Ref{Resource: "namespaces", Name: "shop"})(w)
			w.place.backends = []kube.Backend{{Namespace: "shop", Name: "hook"}}
		}, event.Deny, "the API server asks Service hook"},
		{"protected", "a Service that is a webhook", func(w *world) {
			aim(event.Ref{Resource: "services", Namespace: "shop", Name: "hook"})(w)
			w.place.backends = []kube.Backend{{Namespace: "shop", Name: "hook"}}
		}, event.Deny, "the API server asks Service hook"},
		{"protected", "a Service beside a webhook", func(w *world) {
			aim(event.Ref{Resource: "services", Namespace: "shop", Name: "web"})(w)
			w.place.backends = []kube.Backend{{Namespace: "shop", Name: "hook"}}
		}, event.Pass, ""},
		{"protected", "a person", aim(event.UserRef("ann@example.com")), event.Pass, ""},
		{"protected", "ourselves", aim(event.UserRef("system:serviceaccount:firebreak:firebreak")), event.Deny, "namespace firebreak is protected"},
		{"protected", "an account of the system", aim(event.UserRef("system:serviceaccount:kube-system:x")), event.Deny, "kube-system"},
		{"protected", "a part of the cluster", aim(event.UserRef("system:kube-scheduler")), event.Deny, "cluster itself"},
		{"protected", "a group of the cluster", aim(event.GroupRef("system:masters")), event.Deny, "cluster itself"},
		{"protected", "an address", aim(event.AddressRef("192.0.2.7")), event.Pass, ""},
		{"protected", "the cluster's own binding", aim(event.Ref{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings", Name: "system:node"}), event.Deny, "own"},
		{"protected", "our own binding", aim(event.Ref{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings", Name: "firebreak"}), event.Deny, "own"},
		{"protected", "a binding", aim(event.Ref{Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Namespace: "shop", Name: "edit"}), event.Pass, ""},

		{"target", "what is made needs none", func(w *world) {
			w.check.Plan.Target = event.Ref{}
			w.check.Plan.Writes = []event.Write{{Verb: "create", Resource: "configmaps", Name: "firebreak-x"}}
		}, event.Pass, "parameters"},
		{"target", "what is made under another's name", func(w *world) {
			w.check.Plan.Target.UID, w.check.Run.Target.UID = "", ""
			w.check.Plan.Writes = []event.Write{{Verb: "create", Resource: "configmaps", Name: "x"}}
		}, event.Deny, "no UID"},
		{"target", "known by UID", func(*world) {}, event.Pass, ""},
		{"target", "no UID", func(w *world) { w.check.Plan.Target.UID, w.check.Run.Target.UID = "", "" }, event.Deny, "no UID"},
		{"target", "no name", func(w *world) { w.check.Plan.Target.Name = "" }, event.Deny, "no name"},
		{"target", "another object", func(w *world) { w.check.Plan.Target.UID = "u2" }, event.Deny, "another object"},
		{"target", "a write to another", func(w *world) { w.check.Plan.Writes[0].UID = "u2" }, event.Deny, "not bound"},
		{"target", "a write to any", func(w *world) { w.check.Plan.Writes[0].UID = "" }, event.Deny, "not bound"},
		{"target", "a delete of another", func(w *world) {
			w.check.Plan.Writes = append(w.check.Plan.Writes, event.Write{Verb: "delete", Resource: "pods", UID: "u2"})
		}, event.Deny, "not bound"},
		{"budget", "observing", func(w *world) {
			book(func(b *Book) { spread(10)(b) })(w)
			w.check.Run.Mode = event.ModeObserve
		}, event.Pass, "nothing is written"},
		{"budget", "observing, as it would act", func(w *world) {
			book(func(b *Book) { spread(10)(b) })(w)
			w.check.Run.Mode, w.check.Would = event.ModeObserve, true
		}, event.Ask, "10 of 10 pods are quarantined"},
		{"end", "observing, as it would act", func(w *world) {
			w.check.Run.Mode, w.check.Would, w.check.Reversible = event.ModeObserve, true, false
		}, event.Ask, "can't be undone"},
		{"target", "observing", func(w *world) { w.check.Plan.Target.UID = ""; w.check.Run.Mode = event.ModeObserve }, event.Pass, ""},

		{"breaker", "works", func(*world) {}, event.Pass, ""},
		{"breaker", "open", book(func(b *Book) {
			b.Breakers = map[string]*Trip{"pod.quarantine": {Open: "it failed 5 times", Since: now}}
		}), event.Ask, "it failed 5 times"},
		{"breaker", "another action's is open", book(func(b *Book) {
			b.Breakers = map[string]*Trip{"node.cordon": {Open: "it failed 5 times", Since: now}}
		}), event.Pass, ""},

		{"budget", "room", book(standing(2, "web")), event.Pass, "2 of 10 pods"},
		{"budget", "full", book(func(b *Book) { spread(10)(b) }), event.Ask, "10 of 10 pods are quarantined"},
		{"budget", "full, but the target is held already", func(w *world) {
			book(func(b *Book) { spread(10)(b); b.Entries[0].Target = "u1" })(w)
		}, event.Pass, ""},
		{"budget", "what ended takes no place", book(func(b *Book) {
			spread(10)(b)
			b.Entries[3].Ended = &now
		}), event.Pass, "9 of 10"},
		{"budget", "the namespace's part", book(standing(3, "shop")), event.Ask, "3 of 3 pods of namespace shop"},
		{"budget", "the node's part", func(w *world) {
			w.check.Plan.Target.Node = "n1"
			book(func(b *Book) {
				spread(3)(b)
				for i := range b.Entries {
					b.Entries[i].Node = "n1"
				}
			})(w)
		}, event.Ask, "3 of 3 pods on node n1"},
		{"budget", "the source's part", func(w *world) {
			w.check.Run.Finding.Source = event.SourceFalco
			book(func(b *Book) {
				spread(3)(b)
				for i := range b.Entries {
					b.Entries[i].Source = event.SourceFalco
				}
			})(w)
		}, event.Ask, "3 of 3 pods because of source falco"},
		{"budget", "the last ready replica", owned(1, true), event.Ask, "last ready replica of ReplicaSet web"},
		{"budget", "one that is not ready, beside a ready one", owned(1, false), event.Ask, "more than a share of 0.5"},
		{"budget", "one of two", owned(2, true), event.Pass, ""},
		{"budget", "half of four and one more", func(w *world) {
			owned(4, true)(w)
			book(func(b *Book) {
				standing(2, "other")(b)
				for i := range b.Entries {
					b.Entries[i].Controller, b.Entries[i].Taken = "rs", now.Add(-time.Minute)
				}
			})(w)
		}, event.Ask, "2 more of the 4 ready replicas"},
		{"budget", "a pod of no controller", func(w *world) { w.place.owner = kube.Owner{} }, event.Pass, ""},
		{"budget", "an unreadable controller", func(w *world) { w.place.err = away }, event.Wait, "away"},
		{"budget", "a first node of many", nodes(20), event.Pass, "19 schedulable"},
		{"budget", "one node of few", nodes(3), event.Pass, "2 schedulable"},
		{"budget", "too few nodes left", nodes(2), event.Ask, "1 schedulable workers would be left"},
		{"budget", "a tenth of the nodes", func(w *world) {
			nodes(20)(w)
			book(func(b *Book) {
				b.Entries = []Entry{{Key: "a", Target: "m1", Budget: BudgetNodes}, {Key: "b", Target: "m2", Budget: BudgetNodes, Source: event.SourceAudit}}
			})(w)
		}, event.Ask, "2 of 2 nodes are cordoned"},
		{"budget", "unreadable nodes", func(w *world) { nodes(20)(w); w.place.err = away }, event.Wait, "away"},

		{"canary", "the first act", func(*world) {}, event.Pass, "first act"},
		{"canary", "watched", book(first(time.Minute)), event.Wait, "is watched until"},
		{"canary", "watched, the same target", book(func(b *Book) {
			first(time.Minute)(b)
			b.Canaries["v1"].Run, b.Canaries["v1"].Target.UID = "r1", "u1"
		}), event.Pass, "belongs to"},
		{"canary", "watched, another target of the same run", book(func(b *Book) {
			first(time.Minute)(b)
			b.Canaries["v1"].Run = "r1"
		}), event.Wait, "is watched"},
		{"canary", "approved", func(w *world) { w.check.Approved = true; book(first(time.Minute))(w) }, event.Pass, "approved"},
		{"canary", "well", func(w *world) { owned(3, true)(w); book(first(3 * time.Minute))(w) }, event.Pass, "no harm"},
		{"canary", "harmed", func(w *world) { owned(1, true)(w); book(first(3 * time.Minute))(w) }, event.Ask, "has 1 ready replicas, and had 3"},
		{"canary", "unreadable", func(w *world) { book(first(3 * time.Minute))(w); w.place.err = away }, event.Wait, "away"},
		{"canary", "another version", func(w *world) { w.check.Run.Version = "v2"; book(first(time.Minute))(w) }, event.Pass, "first act"},

		{"cooldown", "just done", book(done(time.Minute, "")), event.Ask, "1m0s ago"},
		{"cooldown", "done long ago", book(done(16*time.Minute, "")), event.Pass, ""},
		{"cooldown", "a decoy of another rule", book(done(time.Minute, "decoy")), event.Pass, ""},
		{"cooldown", "graver than what was done", func(w *world) {
			w.check.Run.Finding.Severity = event.SeverityCritical
			book(done(time.Minute, ""))(w)
		}, event.Pass, ""},
		{"cooldown", "the same run", book(func(b *Book) { done(time.Minute, "")(b); b.Entries[0].Run = "r1" }), event.Pass, ""},

		{"end", "an hour", func(*world) {}, event.Pass, "1h0m0s"},
		{"end", "none", func(w *world) { w.check.Hold = 0 }, event.Deny, "no end"},
		{"end", "too long", func(w *world) { w.check.Hold = 25 * time.Hour }, event.Deny, "longer than 24h"},
		{"end", "irreversible", func(w *world) { w.check.Reversible = false }, event.Ask, "can't be undone"},

		{"health", "well", nodes(6), event.Pass, "6 of 6"},
		{"health", "a third is not ready", func(w *world) {
			nodes(6)(w)
			w.place.nodes[0].Status.Conditions, w.place.nodes[1].Status.Conditions = nil, nil
		}, event.Ask, "2 of 6 nodes are not ready"},
		{"health", "requests fail", func(w *world) { w.place.failed, w.place.requests = 0.25, 40 }, event.Ask, "25 % of 40"},
		{"health", "few requests fail", func(w *world) { w.place.failed, w.place.requests = 1, 3 }, event.Pass, ""},
		{"health", "late", func(w *world) { w.check.Run.Created = w.check.Run.Finding.Received.Add(2 * time.Minute) }, event.Ask, "taken 2m0s after"},
		{"health", "unreadable", func(w *world) { w.place.err = away }, event.Wait, "away"},

		{"plan", "exact", func(*world) {}, event.Pass, "1 writes"},
		{"plan", "conditional on nothing", func(w *world) { w.check.Plan.Writes[0].ResourceVersion = "" }, event.Deny, "conditional on nothing"},
		{"plan", "in another namespace", func(w *world) { w.check.Plan.Writes[0].Namespace = "bank" }, event.Deny, "another namespace"},
		{"plan", "no name", func(w *world) { w.check.Plan.Writes[0].Name = "" }, event.Deny, "no name"},
		{"plan", "another verb", func(w *world) { w.check.Plan.Writes[0].Verb = "update" }, event.Deny, "none of create"},
		{"plan", "too many", func(w *world) {
			for range maxWrites {
				w.check.Plan.Writes = append(w.check.Plan.Writes, w.check.Plan.Writes[0])
			}
		}, event.Deny, "17 writes"},
		{"plan", "a body that is no JSON", func(w *world) { w.check.Plan.Writes[0].Body = []byte("{") }, event.Deny, "no digest"},
		{"plan", "a policy for every pod", policy(`{"spec":{"podSelector":{}}}`), event.Deny, "every pod"},
		{"plan", "a policy for some", policy(`{"spec":{"podSelector":{"matchLabels":{"a":"b"}}}}`), event.Pass, ""},

		{"protected", "behind an admission webhook", func(w *world) {
			w.place.backends = []kube.Backend{{Namespace: "shop", Name: "hook"}}
			w.place.services = []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "hook"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "hook"}}}}
			w.place.pod.Labels, w.place.pod.Namespace = map[string]string{"app": "hook"}, "shop"
		}, event.Deny, "Service hook"},
		{"protected", "beside an admission webhook", func(w *world) {
			w.place.backends = []kube.Backend{{Namespace: "shop", Name: "hook"}}
			w.place.services = []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "hook"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "hook"}}}}
			w.place.pod.Labels, w.place.pod.Namespace = map[string]string{"app": "web"}, "shop"
		}, event.Pass, ""},
		{"protected", "a policy for the host's network", func(w *world) {
			policy(`{"spec":{"podSelector":{"matchLabels":{"a":"b"}}}}`)(w)
			w.place.pod.Spec.HostNetwork = true
		}, event.Deny, "host network"},

		{"pause", "by annotation", func(w *world) { w.o.Switch = button{why: "fire"} }, event.Wait, "by annotation: fire"},
		{"pause", "an unreadable annotation", func(w *world) { w.o.Switch = button{err: away} }, event.Wait, "away"},
		{"pause", "an annotation that is not set", func(w *world) { w.o.Switch = button{} }, event.Pass, ""},

		{"freshness", "a clock that is ahead", func(w *world) { w.check.Run.Finding.Time = now.Add(time.Hour) }, event.Ask, "ahead"},

		{"rate", "few", book(done(time.Second, "")), event.Pass, "1 effects"},
		{"rate", "too many at once", book(func(b *Book) {
			spread(5)(b)
			for i := range b.Entries {
				b.Entries[i].Taken = now.Add(-time.Second)
			}
		}), event.Ask, "more than 10 effects a minute (5 at once)"},
		{"rate", "one source", func(w *world) {
			w.check.Run.Finding.Source = event.SourceAudit
			book(func(b *Book) {
				standing(2, "")(b)
				for i := range b.Entries {
					b.Entries[i].Source, b.Entries[i].Taken = event.SourceAudit, now.Add(-time.Second)
				}
			})(w)
		}, event.Ask, "because of source audit"},
		{"rate", "runs of a playbook", book(func(b *Book) {
			spread(20)(b)
			for i := range b.Entries {
				b.Entries[i].Taken, b.Entries[i].Playbook, b.Entries[i].Ended = now.Add(-30*time.Minute), "contain", &now
			}
		}), event.Ask, "20 of 20 runs"},
		{"rate", "runs of a playbook in a namespace", book(func(b *Book) {
			standing(6, "shop")(b)
			for i := range b.Entries {
				b.Entries[i].Taken, b.Entries[i].Playbook = now.Add(-30*time.Minute), "contain"
			}
		}), event.Ask, "6 of 6 runs"},

		{"approvers", "no lockout", func(*world) {}, event.Pass, "takes nothing"},
		{"approvers", "the last one", func(w *world) {
			w.check.Losses = []Loss{{Approvers: Approvers{Of: "playbook contain", By: []string{"user/ann"}}, Out: []string{"user/ann"}}}
		}, event.Ask, "NOBODY IS LEFT"},

		{"steering", "nobody known", func(*world) {}, event.Pass, ""},
		{"steering", "one actor, many targets", func(w *world) {
			w.check.Run.Finding.Actor.Address = "203.0.113.9"
			book(func(b *Book) {
				spread(5)(b)
				for i := range b.Entries {
					b.Entries[i].Actor, b.Entries[i].Taken, b.Entries[i].Ended = actor(w.check.Run.Finding), now.Add(-50*time.Minute), &now
				}
			})(w)
		}, event.Ask, "5 other targets"},
		{"steering", "one actor, many times the same target", func(w *world) {
			w.check.Run.Finding.Actor.Address = "203.0.113.9"
			book(func(b *Book) {
				spread(9)(b)
				for i := range b.Entries {
					b.Entries[i].Actor, b.Entries[i].Taken, b.Entries[i].Target = actor(w.check.Run.Finding), now.Add(-50*time.Minute), "u9"
				}
			})(w)
		}, event.Pass, ""},

		{"trust", "runtime", func(*world) {}, event.Pass, "T2"},
		{"trust", "text of a log", func(w *world) { w.check.Run.Finding.Trust = event.TrustText }, event.Ask, "T0"},
		{"trust", "a name only", func(w *world) { w.check.Run.Finding.Trust = event.TrustName }, event.Ask, "T1"},
		{"trust", "a model alone", func(w *world) { w.check.Run.Finding.Rule, w.check.Run.Finding.Model = "", "m" }, event.Ask, "model"},
		{"trust", "to tell", func(w *world) { w.check.Run.Finding.Trust = event.TrustText; w.check.Effect = false }, event.Pass, ""},
	}
	seen := map[string]bool{}
	for _, tt := range append(append(tests, lookedAt()...), enforced()...) {
		seen[tt.guard] = true
		t.Run(tt.guard+"/"+tt.name, func(t *testing.T) {
			w := good()
			tt.change(w)
			w.o.Ledger = written(t, w.book)
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

// aim gives the plan another target.
func aim(t event.Ref) func(*world) {
	if t.UID == "" {
		t.UID = "u1"
	}
	return func(w *world) { w.check.Plan.Target, w.check.Run.Target = t, t }
}

// template is a workload's, with these labels and priority class.
func template(labels map[string]any, class string) map[string]any {
	return map[string]any{"spec": map[string]any{"template": map[string]any{
		"metadata": map[string]any{"labels": labels}, "spec": map[string]any{"priorityClassName": class},
	}}}
}
