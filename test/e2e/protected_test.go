package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// executor carries steps out on the real control plane with every right there is, so that nothing but the
// guards stands between a playbook and the cluster.
func executor(t *testing.T, control guard.Control, limits guard.Limits, pause guard.Switch) (*respond.Executor, *counted) {
	t.Helper()
	client, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig, QPS: 500, Burst: 1000})
	if err != nil {
		t.Fatal(err)
	}
	cache, logger := kube.NewCache(client), slog.New(slog.DiscardHandler)
	writes := &counted{Cache: cache}
	return &respond.Executor{
		Deps: action.Deps{Cluster: writes, Logger: logger}, Recent: kube.Recent{Cache: cache},
		Guards: guard.New(guard.Options{
			Control: control, Cluster: kube.Recent{Cache: cache}, Limits: limits, Switch: pause, Namespaces: []string{"firebreak-own"},
		}),
	}, writes
}

// counted tells each write before it is sent.
type counted struct {
	*kube.Cache
	sent func(event.Write)
}

func (c *counted) Apply(ctx context.Context, w event.Write, o kube.ApplyOptions) (string, string, error) {
	if c.sent != nil && !o.DryRun {
		c.sent(w)
	}
	return c.Cache.Apply(ctx, w, o)
}

// drive moves a run by its executor, without a log, until it rests; people say yes to all that is asked.
func drive(ctx context.Context, x *respond.Executor, book *respond.Playbook, run event.Run, moves int, until time.Time) event.Run {
	voted := uint64(0)
	for range moves {
		now := time.Now().UTC()
		if run.State.Terminal() || ctx.Err() != nil || !until.IsZero() && now.After(until) {
			return run
		}
		run.Record++
		due, at := respond.Due(book, run, now)
		in := respond.Input{Tick: true}
		switch {
		case due != nil:
			in = carry(ctx, x, book, run, *due, now)
		case run.Approval != nil && run.Approval.State == event.ApprovalOpen && len(run.Approval.Votes) < 3:
			voted++
			who := fmt.Sprint("person", voted)
			in = respond.Input{Sequence: run.Input + 1, Person: &event.Input{Kind: event.InputVote, User: who, Vote: &event.Vote{
				User: who, Approve: true, Digest: run.Approval.Digest, Time: now,
			}}}
		case at.IsZero() || until.IsZero() && at.After(now.Add(time.Second)):
			return run
		default:
			select {
			case <-ctx.Done():
			case <-time.After(min(time.Until(at), 100*time.Millisecond)):
			}
		}
		run = respond.Next(book, run, in, now)
	}
	return run
}

func carry(ctx context.Context, x *respond.Executor, book *respond.Playbook, run event.Run, due respond.Effect, now time.Time) respond.Input {
	switch due.Kind {
	case respond.EffectTargets:
		t := x.Targets(ctx, book, run, due.Step)
		return respond.Input{Targets: &t}
	case respond.EffectPlan:
		p := x.Plan(ctx, book, run, due.Step, now)
		return respond.Input{Planned: &p}
	case respond.EffectDo:
		d := x.Do(ctx, book, run, due.Step, now)
		return respond.Input{Done: &d}
	}
	d := x.Undo(ctx, book, run, due.Step, now)
	return respond.Input{Undone: &d}
}

func playbook(t *testing.T, text string) (*respond.Playbook, error) {
	t.Helper()
	docs, err := conf.Documents("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return respond.ParsePlaybook(docs[0])
}

// begin is a run of a playbook on a target, because of a finding that somebody hostile chose.
func begin(t *testing.T, x *respond.Executor, book *respond.Playbook, target event.Ref, n int) event.Run {
	t.Helper()
	now := time.Now().UTC()
	f := event.Finding{
		ID: event.FindingID("r", target.String(), strconv.Itoa(n)), Rule: "shell", Title: "'; rm -rf / ${target.name} {{.}}", Severity: event.SeverityCritical,
		Trust: event.TrustAudit, Source: event.SourceAudit, Subject: target, Time: now, Received: now, Actor: event.Actor{User: "kube-system"},
	}
	f.Subject.Labels = map[string]string{"firebreak.io/protected": "false"}
	resolved, err := respond.Resolve(t.Context(), x.Deps.Cluster, f)
	if err != nil && !errors.Is(err, respond.ErrNoTarget) {
		t.Fatal(err)
	}
	f.Subject = resolved
	in, _ := incident.Group(nil, f)
	return respond.Begin(book, in, f, resolved, event.ModeAct, now)
}

// hands are the operators' control.
type hands struct {
	mu     sync.Mutex
	paused bool
}

func (h *hands) Paused(context.Context) (bool, string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paused, "ann", nil
}

func (h *hands) Ceiling(context.Context) (event.Mode, error) { return event.ModeAct, nil }

func (h *hands) set(paused bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.paused = paused
}

// TestGeneratedPlaybooksOnTheRealThing aims generated playbooks, with everything approved, at what is protected
// on the real control plane, as cluster-admin: no such object has changed afterwards. What is beside it has.
func TestGeneratedPlaybooksOnTheRealThing(t *testing.T) {
	client := admin(t)
	books := 200
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		books = 5000
	}
	own := namespace(t, client)
	targets := fortress(t, client)
	x, writes := executor(t, &hands{}, guard.Unlimited(), nil)
	before := looks(t, client, targets)
	spaces := map[string]bool{own: false}
	for _, target := range targets {
		spaces[target.Namespace] = true
	}
	aimed, beside := 0, 0
	writes.sent = func(w event.Write) {
		switch {
		case w.Resource == "events":
		case w.Resource == "pods" && w.Namespace == own:
			beside++
		case spaces[w.Namespace] && w.Namespace != "" || w.Resource == "nodes":
			aimed++
			t.Errorf("%s %s %s/%s was sent", w.Verb, w.Resource, w.Namespace, w.Name)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	states := map[event.RunState]int{}
	for n := range books {
		target := targets[random.IntN(len(targets))]
		if n%20 == 0 {
			target = event.PodRef(own, barePod(t, client, own, fmt.Sprint("web-", n), nil).Name)
		}
		book, err := playbook(t, generatedBook(random, n, target.IsNode()))
		if err != nil {
			states["refused"]++
			continue
		}
		states[drive(t.Context(), x, book, begin(t, x, book, target, n), 60, time.Time{}).State]++
	}
	changed := 0
	for what, was := range looks(t, client, targets) {
		if was != before[what] {
			changed++
			t.Errorf("%s was %s and is %s", what, before[what], was)
		}
	}
	if beside == 0 {
		t.Error("nothing was written at all")
	}
	t.Logf("%d playbooks at %d protected objects: %d writes sent to them, %d of them changed; %d writes beside; runs %v", books, len(targets), aimed, changed, beside, states)
}

// fortress makes one of each that is never touched, and lists the references.
func fortress(t *testing.T, client kubernetes.Interface) []event.Ref {
	t.Helper()
	var targets []event.Ref
	pod := func(ns, name string, change func(*corev1.Pod)) {
		targets = append(targets, event.PodRef(ns, barePod(t, client, ns, name, change).Name))
	}
	for _, ns := range guard.ProtectedNamespaces() {
		if _, err := client.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{}); err != nil {
			continue // this cluster does not have it
		}
		pod(ns, "fort-"+strings.ToLower(rand64()), nil)
	}
	marked := namespace(t, client)
	patch := []byte(`{"metadata":{"annotations":{"firebreak.io/protected":"true"}}}`)
	if _, err := client.CoreV1().Namespaces().Patch(t.Context(), marked, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	pod(marked, "vault", nil)
	ns := namespace(t, client)
	pod(ns, "critical", func(p *corev1.Pod) { p.Spec.PriorityClassName = "system-node-critical" })
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: "node-role.kubernetes.io/control-plane"})
	if err != nil || len(nodes.Items) == 0 {
		t.Fatalf("%d nodes of the control plane: %v", len(nodes.Items), err)
	}
	return append(targets, event.NodeRef(nodes.Items[0].Name))
}

func rand64() string { return strconv.FormatUint(rand.Uint64(), 36) }

// barePod makes a pod that no controller takes away, and removes it afterwards.
func barePod(t *testing.T, client kubernetes.Interface, ns, name string, change func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
	}
	if change != nil {
		change(pod)
	}
	var made *corev1.Pod
	eventually(t, "pod "+name, func(ctx context.Context) (err error) { // once the namespace has its account
		made, err = client.CoreV1().Pods(ns).Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		_ = client.CoreV1().Pods(ns).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}) // it may be gone
	})
	return made
}

// looks is what protected objects look like to whoever would change them, and the policies beside them.
func looks(t *testing.T, client kubernetes.Interface, targets []event.Ref) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, target := range targets {
		if target.IsNode() {
			n, err := client.CoreV1().Nodes().Get(t.Context(), target.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			taints := slices.DeleteFunc(n.Spec.Taints, func(x corev1.Taint) bool { // what its controllers set and take off
				return x.Key == corev1.TaintNodeNotReady || x.Key == corev1.TaintNodeUnreachable
			})
			all[target.String()] = fmt.Sprint(marks(t, n.ObjectMeta), n.Spec.Unschedulable, taints)
			continue
		}
		p, err := client.CoreV1().Pods(target.Namespace).Get(t.Context(), target.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all[target.String()] = fmt.Sprint(p.UID, marks(t, p.ObjectMeta))
		policies, err := client.NetworkingV1().NetworkPolicies(target.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		all["policies of "+target.Namespace] = strconv.Itoa(len(policies.Items))
	}
	return all
}

// generatedBook does what it can to a pod or node.
func generatedBook(random *rand.Rand, n int, node bool) string {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: p%d}\nspec:\n  when: %s\n  mode: %s\n  approve: {need: %d}\n  steps:\n", n,
		pick("'true'", `finding.rule != ""`, `target.name != ""`), pick("act", "act", "ask"), 1+random.IntN(2))
	for i := range 1 + random.IntN(3) {
		does := pick("pod.quarantine", "pod.label", "notify.event")
		if node {
			does = pick("node.cordon", "node.cordon", "notify.event")
		}
		fmt.Fprintf(&b, "    - name: s%d\n      action: %s\n", i, does)
		switch {
		case does == "pod.label":
			fmt.Fprintf(&b, "      with: {labels: {%s: '%s'}}\n", pick("suspect", "app", "k8s-app"), pick("yes", "${finding.rule}"))
		case does == "pod.quarantine" && random.IntN(2) == 0:
			fmt.Fprintf(&b, "      at_end: %s\n", pick("restore", "ask"))
		}
		if does != "notify.event" && random.IntN(2) == 0 {
			fmt.Fprintf(&b, "      undo_after: %s\n      on_failure: %s\n", pick("1m", "24h"), pick("stop", "continue", "undo"))
		}
	}
	return b.String()
}

const togglesBook = `apiVersion: firebreak.io/v1alpha1
kind: Playbook
metadata: {name: mark}
spec:
  when: finding.rule == "shell"
  mode: act
  steps:
    - {name: label, action: pod.label, with: {labels: {suspect: "yes"}}, undo_after: 1s}
`

// TestTogglesOnTheRealThing pauses and lets go on, by word and by the annotation, while runs act on pods of the
// real control plane: nothing begins a second after the pause was set, and what is to be undone is.
func TestTogglesOnTheRealThing(t *testing.T) {
	client := admin(t)
	toggles := 10
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		toggles = 200
	}
	ns := namespace(t, client)
	if _, err := client.CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: kube.ConfigMapName}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	reader, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	control := &hands{}
	x, writes := executor(t, control, guard.Unlimited(), kube.NewSwitch(reader, ns, kube.ConfigMapName))
	var mu sync.Mutex
	var since time.Time
	var effects, undone, paused int
	var worst, slowest time.Duration
	writes.sent = func(w event.Write) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !strings.Contains(string(w.Body), `"suspect":"yes"`):
			undone++
			if !since.IsZero() {
				paused++
			}
		case since.IsZero():
			effects++
		default:
			effects++
			worst = max(worst, time.Since(since))
		}
	}
	book, err := playbook(t, togglesBook)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			_, _ = client.CoreV1().ConfigMaps(ns).Get(ctx, kube.ConfigMapName, metav1.GetOptions{}) // how long it takes is what counts
			pass(t, 20*time.Millisecond)
			mu.Lock()
			slowest = max(slowest, time.Since(began)-20*time.Millisecond)
			mu.Unlock()
		}
	})
	for i := range 4 {
		pod := barePod(t, client, ns, fmt.Sprint("p", i), nil)
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				drive(ctx, x, book, begin(t, x, book, event.PodRef(ns, pod.Name), n), 10_000, time.Now().Add(time.Minute))
			}
		})
	}
	pause := func(why string) {
		patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{kube.PausedAnnotation: why}}})
		if _, err := client.CoreV1().ConfigMaps(ns).Patch(ctx, kube.ConfigMapName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range toggles {
		if n%2 == 0 {
			control.set(true)
		} else {
			pause("tests")
		}
		mu.Lock()
		since = time.Now()
		mu.Unlock()
		<-time.After(1500 * time.Millisecond)
		mu.Lock()
		since = time.Time{}
		before := effects
		mu.Unlock()
		control.set(false)
		pause("false")
		eventually(t, "effects begin again", func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			if effects == before {
				return errors.New("none has")
			}
			return nil
		})
	}
	stop()
	all.Wait()
	mu.Lock()
	defer mu.Unlock()
	// A question that was asked before the pause may be answered as late as this
	// machine answers any.
	if worst > time.Second+slowest || paused == 0 {
		t.Errorf("the latest effect %s after the pause, want a second and the slowest question's %s at most; %d were undone while paused", worst, slowest, paused)
	}
	t.Logf("%d toggles: %d effects, the latest %s after a pause; %d undone, %d while paused; the slowest question took %s", toggles, effects, worst, undone, paused, slowest)
}
