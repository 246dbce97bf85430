package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

func build(t *testing.T, name string, c *kube.Client, config any) action.Action {
	t.Helper()
	k, ok := action.Lookup(name)
	if !ok {
		t.Fatalf("no action %s", name)
	}
	a, err := k.New(action.Deps{Cluster: c}, config)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func request(pod corev1.Pod) action.Request {
	target := event.PodRef(pod.Namespace, pod.Name)
	target.UID = string(pod.UID)
	now := time.Now().UTC()
	return action.Request{Key: "run1/isolate", Target: target, Now: now, Until: now.Add(time.Hour)}
}

// do plans and does, and plans again when a controller was faster.
func do(t *testing.T, a action.Action, r action.Request) (event.Plan, event.Receipt) {
	t.Helper()
	for range 5 {
		p, err := a.Plan(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		done, err := a.Do(t.Context(), r, p)
		if errors.Is(err, action.ErrConflict) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return p, done
	}
	t.Fatal("five conflicts")
	return event.Plan{}, event.Receipt{}
}

func undo(t *testing.T, a action.Action, r action.Request, done event.Receipt, end event.AtEnd) event.Receipt {
	t.Helper()
	u, err := a.Undo(t.Context(), r, done, end)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func hasPolicy(t *testing.T, client kubernetes.Interface, ns string) bool {
	t.Helper()
	_, err := client.NetworkingV1().NetworkPolicies(ns).Get(t.Context(), action.HoldPolicyName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

func TestQuarantineOfReplicaSet(t *testing.T) {
	client := admin(t)
	c, ns := responder(t, client, nil), namespace(t, client)
	q := build(t, "pod.quarantine", c, nil)
	webService(t, client, ns)
	webDeployment(t, client, ns, 2)
	pods := stay(t, client, ready(t, client, ns, "app=web", 2))
	endpoints(t, client, ns, names(pods)...)
	suspect, other := pods[0], pods[1]
	r := request(suspect)

	plan, done := do(t, q, r)
	if done.Result != event.ResultUnverified {
		t.Errorf("receipt %+v", done)
	}
	if want := "take off labels app, pod-template-hash"; !strings.Contains(plan.Summary, want) {
		t.Errorf("summary %q", plan.Summary)
	}
	pods = ready(t, client, ns, "app=web", 2)
	if slices.Contains(names(pods), suspect.Name) || !slices.Contains(names(pods), other.Name) {
		t.Fatalf("pods are %v", names(pods))
	}
	endpoints(t, client, ns, names(pods)...)
	held := getPod(t, client, ns, suspect.Name)
	eventually(t, "release", func(context.Context) error {
		if held = getPod(t, client, ns, suspect.Name); metav1.GetControllerOf(held) != nil {
			return errors.New("the ReplicaSet still owns the suspect")
		}
		return nil
	})
	if held.Labels[action.HoldKey] != action.HoldQuarantine || held.Labels["team"] != "shop" || !hasPolicy(t, client, ns) {
		t.Errorf("labels %v", held.Labels)
	}
	again, err := q.Do(t.Context(), r, plan) // as after a crash
	if err != nil || again.Result != event.ResultUnverified {
		t.Error(again, err)
	}

	if u := undo(t, q, r, done, event.AtEndRestore); u.Result != event.ResultUndone {
		t.Error(u)
	}
	eventually(t, "adoption", func(ctx context.Context) error {
		list, err := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			return err
		}
		if got, want := names(list.Items), names([]corev1.Pod{suspect, other}); !slices.Equal(got, want) {
			return fmt.Errorf("pods are %v, want %v", got, want)
		}
		return nil
	})
	endpoints(t, client, ns, suspect.Name, other.Name)
	back := getPod(t, client, ns, suspect.Name)
	if back.UID != suspect.UID || metav1.GetControllerOf(back) == nil {
		t.Error("not the same pod in the same ReplicaSet")
	}
	if before, after := marks(t, suspect.ObjectMeta), marks(t, back.ObjectMeta); before != after {
		t.Errorf("before %s\nafter  %s", before, after)
	}
	if hasPolicy(t, client, ns) {
		t.Error("the policy is left")
	}
	if _, err := q.Do(t.Context(), r, plan); !errors.Is(err, action.ErrConflict) {
		t.Errorf("a late Do: %v", err)
	}
}

func TestQuarantineOfStatefulSet(t *testing.T) {
	client := admin(t)
	c, ns := responder(t, client, nil), namespace(t, client)
	q := build(t, "pod.quarantine", c, nil)
	two := int32(2)
	_, err := client.AppsV1().StatefulSets(ns).Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       appsv1.StatefulSetSpec{Replicas: &two, Selector: selector, Template: template(), ServiceName: "web"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	suspect := ready(t, client, ns, "app=web", 2)[1]
	r := request(suspect)
	plan, done := do(t, q, r)
	if !slices.ContainsFunc(plan.Notes, func(n string) bool { return strings.Contains(n, "one pod short") }) {
		t.Error(plan.Notes)
	}
	eventually(t, "one pod short", func(ctx context.Context) error {
		set, err := client.AppsV1().StatefulSets(ns).Get(ctx, "web", metav1.GetOptions{})
		if err == nil && (set.Status.Replicas != 1 || metav1.GetControllerOf(getPod(t, client, ns, suspect.Name)) != nil) {
			err = fmt.Errorf("%d replicas", set.Status.Replicas)
		}
		return err
	})
	undo(t, q, r, done, event.AtEndRestore)
	for _, p := range ready(t, client, ns, "app=web", 2) {
		if p.Name == suspect.Name && (p.UID != suspect.UID || marks(t, p.ObjectMeta) != marks(t, suspect.ObjectMeta)) {
			t.Error("not the pod that it was")
		}
	}
	eventually(t, "adoption", func(context.Context) error {
		if metav1.GetControllerOf(getPod(t, client, ns, suspect.Name)) == nil {
			return errors.New("not adopted")
		}
		return nil
	})
	// Given up instead: the StatefulSet makes a clean one of the same name.
	r.Key = "run2/isolate"
	_, done = do(t, q, r)
	undo(t, q, r, done, event.AtEndDelete)
	for _, p := range ready(t, client, ns, "app=web", 2) {
		if p.UID == suspect.UID {
			t.Error("the suspect is still there")
		}
	}
	if hasPolicy(t, client, ns) {
		t.Error("the policy is left")
	}
	if u := undo(t, q, r, done, event.AtEndDelete); u.Result != event.ResultGone {
		t.Errorf("of the new pod: %+v", u)
	}
}

func TestQuarantineOfDaemonSet(t *testing.T) {
	client := admin(t)
	c, ns := responder(t, client, nil), namespace(t, client)
	q := build(t, "pod.quarantine", c, nil)
	_, err := client.AppsV1().DaemonSets(ns).Create(t.Context(), &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec:       appsv1.DaemonSetSpec{Selector: selector, Template: template()},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var pods []corev1.Pod
	eventually(t, "DaemonSet", func(ctx context.Context) error {
		set, err := client.AppsV1().DaemonSets(ns).Get(ctx, "web", metav1.GetOptions{})
		if err == nil && (set.Status.NumberReady == 0 || set.Status.NumberReady != set.Status.DesiredNumberScheduled) {
			err = fmt.Errorf("%d ready", set.Status.NumberReady)
		}
		if err == nil {
			pods = ready(t, client, ns, "app=web", int(set.Status.NumberReady))
		}
		return err
	})
	suspect, n := pods[0], len(pods)
	r := request(suspect)
	_, done := do(t, q, r)
	onSameNode := slices.ContainsFunc(ready(t, client, ns, "app=web", n), func(p corev1.Pod) bool {
		return p.Spec.NodeName == suspect.Spec.NodeName && p.UID != suspect.UID
	})
	if !onSameNode {
		t.Error("no replacement on the same node")
	}
	undo(t, q, r, done, event.AtEndRestore)
	after := ready(t, client, ns, "app=web", n)
	t.Logf("after the end the suspect is there: %v", slices.Contains(names(after), suspect.Name))
}

func TestQuarantineOfBarePod(t *testing.T) {
	client := admin(t)
	bare(t)
	c, ns := responder(t, client, nil), namespace(t, client)
	q := build(t, "pod.quarantine", c, nil)
	webService(t, client, ns)
	spec := template()
	_, err := client.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "bare", Labels: spec.Labels}, Spec: spec.Spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.NetworkingV1().NetworkPolicies(ns).Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "allow-all"},
		Spec:       networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	suspect := ready(t, client, ns, "app=web", 1)[0]
	endpoints(t, client, ns, "bare")
	first, second := request(suspect), request(suspect)
	second.Key = "run2/isolate"
	plan, done := do(t, q, first)
	done = verified(t, q, first, plan, done)
	want := "leaks: from 0.0.0.0/0, ::/0 on all ports: NetworkPolicy " + ns + "/allow-all allows it"
	if done.Result != event.ResultPartial || !slices.Contains(done.Notes, want) {
		t.Errorf("%+v", done)
	}
	endpoints(t, client, ns)
	_, done2 := do(t, q, second)
	undo(t, q, first, done, event.AtEndDelete) // not while another run holds it
	if p := getPod(t, client, ns, "bare"); p.DeletionTimestamp != nil || p.Labels[action.HoldKey] == "" || !hasPolicy(t, client, ns) {
		t.Fatal("the first to end freed or deleted it")
	}
	undo(t, q, second, done2, event.AtEndRestore)
	if back := getPod(t, client, ns, "bare"); marks(t, back.ObjectMeta) != marks(t, suspect.ObjectMeta) || hasPolicy(t, client, ns) {
		t.Errorf("after: %s", marks(t, back.ObjectMeta))
	}
	endpoints(t, client, ns, "bare")

	stale := first
	stale.Target.UID = "00000000-0000-0000-0000-000000000000"
	if _, err := q.Plan(t.Context(), stale); !errors.Is(err, action.ErrGone) {
		t.Errorf("a stale UID: %v", err)
	}
}
