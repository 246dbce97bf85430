package respond

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// driver moves a run as a runner does, without a log, on a clock of its own
// where now is set.
type driver struct {
	x   *Executor
	now func() time.Time
	// pass lets time pass until then.
	pass func(time.Time)
	// yes approves whatever is asked for.
	yes bool
}

// drive moves a run until nothing moves it any more, or for so many moves.
func (d driver) drive(ctx context.Context, book *Playbook, run event.Run, moves int) event.Run {
	said := uint64(0)
	for range moves {
		if run.State.Terminal() {
			return run
		}
		run.Record++
		now := d.now()
		effect, at := Due(book, run, now)
		in := Input{Tick: true}
		switch {
		case effect != nil:
			in = d.carry(ctx, book, run, *effect, now)
		case d.yes && run.Approval != nil && run.Approval.State == event.ApprovalOpen && len(run.Approval.Votes) < 3:
			said++
			who := fmt.Sprint("person", said)
			in = Input{Sequence: run.Input + 1, Person: &event.Input{Kind: event.InputVote, User: who, Vote: &event.Vote{
				User: who, Groups: []string{"oncall"}, Approve: true, Digest: run.Approval.Digest, Time: now,
			}}}
		case at.IsZero():
			return run
		default:
			d.pass(at)
		}
		next := Next(book, run, in, d.now())
		if in.Planned != nil && next.Updated.Equal(run.Updated) {
			d.pass(d.now().Add(waitForPause)) // it waits for the same thing still
		}
		run = next
	}
	return run
}

func (d driver) carry(ctx context.Context, book *Playbook, run event.Run, e Effect, now time.Time) Input {
	switch e.Kind {
	case EffectTargets:
		t := d.x.Targets(ctx, book, run, e.Step)
		return Input{Targets: &t}
	case EffectPlan:
		p := d.x.Plan(ctx, book, run, e.Step, now)
		return Input{Planned: &p}
	case EffectDo:
		done := d.x.Do(ctx, book, run, e.Step, now)
		return Input{Done: &done}
	case EffectMark:
		done := d.x.Mark(ctx, book, run, e.Step, now)
		return Input{Marked: &done}
	case EffectReset:
		done := d.x.Reset(ctx, book, run, e.Step, now)
		return Input{Reset: &done}
	}
	done := d.x.Undo(ctx, book, run, e.Step, now)
	return Input{Undone: &done}
}

// fort is a cluster with each kind of thing that is never touched, and some of
// what may be.
func fort() (*plane, []event.Ref) {
	p := newPlane()
	label := func(k, v string) func(*corev1.Pod) { return func(x *corev1.Pod) { x.Labels[k] = v } }
	for _, ns := range guard.ProtectedNamespaces() {
		p.pod(ns, "web", nil)
	}
	p.pod("firebreak", "firebreak-0", nil)
	p.pod("payments", "ledger", nil)
	p.spaces["vault"] = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"firebreak.io/protected": "true"}}}
	p.pod("vault", "vault-0", nil)
	p.pod("shop", "critical", func(x *corev1.Pod) { x.Spec.PriorityClassName = "system-node-critical" })
	p.pod("shop", "mirror", func(x *corev1.Pod) { x.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} })
	p.pod("shop", "static", func(x *corev1.Pod) { x.OwnerReferences = []metav1.OwnerReference{{Kind: "Node"}} })
	p.pod("shop", "hook", label("app", "hook"))
	p.backends = []kube.Backend{{Namespace: "shop", Name: "hook"}}
	p.services["shop"] = []corev1.Service{{ObjectMeta: metav1.ObjectMeta{Name: "hook"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "hook"}}}}
	p.node("control-plane", func(n *corev1.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" })
	p.node("own", nil)
	p.node("database", nil)
	var targets []event.Ref
	for _, pod := range p.pods {
		targets = append(targets, event.PodRef(pod.Namespace, pod.Name))
	}
	for name := range p.nodes {
		targets = append(targets, event.NodeRef(name))
	}
	// What may be touched, so that the test can see that anything is.
	for i := range 40 {
		p.pod("shop", fmt.Sprint("web-", i), nil)
		p.node(fmt.Sprint("worker-", i), nil)
	}
	return p, targets
}

func executorOn(p *plane, ceiling event.Mode, limits guard.Limits) *Executor {
	return &Executor{
		Deps: action.Deps{Cluster: p, Logger: slog.New(slog.DiscardHandler)},
		Guards: guard.New(guard.Options{
			Control: &hands{ceiling: ceiling}, Cluster: p, Ledger: guard.NewLedger(newShelf()), Limits: limits,
			Self: "system:serviceaccount:firebreak:firebreak", Node: "own", Namespaces: []string{"payments"}, Nodes: []string{"database"},
		}),
	}
}

// generated is the text of a playbook that does what it can to a pod or node.
func generated(random *rand.Rand, n int, node bool) string {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: p%d}\nspec:\n  when: %s\n  mode: %s\n", n,
		pick("'true'", `finding.rule != ""`, `target.name != "" || incident.count >= 0`), pick("act", "act", "ask", "observe"))
	if random.IntN(2) == 0 {
		fmt.Fprintf(&b, "  approve: {need: %d, within: %s}\n", 1+random.IntN(2), pick("1m", "15m"))
	}
	b.WriteString("  steps:\n")
	for i := range 1 + random.IntN(4) {
		does := pick("pod.quarantine", "pod.label", "notify.event")
		if node {
			does = pick("node.cordon", "notify.event", "node.cordon")
		}
		fmt.Fprintf(&b, "    - name: s%d\n      action: %s\n", i, does)
		if does == "pod.label" {
			fmt.Fprintf(&b, "      with: {labels: {%s: '%s'}}\n", pick("suspect", "app", "k8s-app"), pick("yes", "${finding.rule}", "${target.name}"))
		}
		if does == "pod.quarantine" && random.IntN(2) == 0 {
			fmt.Fprintf(&b, "      at_end: %s\n", pick("delete", "restore", "ask"))
		}
		if does != "notify.event" && random.IntN(2) == 0 {
			fmt.Fprintf(&b, "      undo_after: %s\n      on_failure: %s\n", pick("1m", "24h"), pick("stop", "continue", "undo"))
		}
	}
	return b.String()
}

// hostile is a finding about a target, with whatever an attacker can choose.
func hostile(random *rand.Rand, n int, target event.Ref, now time.Time) event.Finding {
	texts := []string{"", "shell", "'; rm -rf /", "${target.name}", "{{.}}", "kube-system", "\u202e", strings.Repeat("x", 300)}
	f := event.Finding{
		ID: event.FindingID("r", fmt.Sprint(n), fmt.Sprint(n)), Rule: "shell", Title: texts[random.IntN(len(texts))], Severity: event.SeverityCritical,
		Trust: event.TrustAudit, Source: event.SourceAudit, Subject: target, Time: now, Received: now,
		Actor: event.Actor{User: texts[random.IntN(len(texts))], Address: "203.0.113.9"},
	}
	f.Subject.Labels = map[string]string{"firebreak.io/protected": "false"}
	f.Subject.Node = texts[random.IntN(len(texts))]
	if random.IntN(4) == 0 {
		// It names another namespace than the object's.
		f.Subject.Workload = event.Workload{Kind: "Deployment", Name: "web", UID: "u"}
	}
	return f
}

// TestProtectedIsUntouched runs generated playbooks on events that are aimed at
// what is protected, in every mode, with everything approved: nothing of it is
// written to. What is beside it is.
func TestProtectedIsUntouched(t *testing.T) {
	books := 500
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		books = 5000
	}
	p, targets := fort()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	protected := map[string]bool{}
	for _, target := range targets {
		protected[target.Resource+" "+target.Namespace+"/"+target.Name] = true
	}
	spaces := map[string]bool{"firebreak": true, "payments": true, "vault": true}
	for _, ns := range guard.ProtectedNamespaces() {
		spaces[ns] = true
	}
	broken, beside := 0, 0
	p.landed = func(w event.Write) {
		if w.Resource == "events" {
			return
		}
		if protected[w.Resource+" "+w.Namespace+"/"+w.Name] || spaces[w.Namespace] {
			broken++
			t.Errorf("%s %s %s/%s", w.Verb, w.Resource, w.Namespace, w.Name)
			return
		}
		beside++
	}
	x := executorOn(p, event.ModeAct, guard.Unlimited())
	states := map[event.RunState]int{}
	for n := range books {
		target := targets[random.IntN(len(targets))]
		if n%20 == 0 {
			target = event.PodRef("shop", fmt.Sprint("web-", random.IntN(40)))
		}
		states[aim(t, x, random, n, target, event.ModeAct)]++
		if broken > 10 {
			t.Fatal("and so on")
		}
	}
	if beside == 0 {
		t.Error("nothing was written at all")
	}
	t.Logf("%d playbooks: %d writes to what is protected, %d beside it; runs %v", books, broken, beside, states)
}

// aim runs one generated playbook on one target.
func aim(t *testing.T, x *Executor, random *rand.Rand, n int, target event.Ref, ceiling event.Mode) event.RunState {
	t.Helper()
	docs, err := conf.Documents("p.yaml", []byte(generated(random, n, target.IsNode())))
	if err != nil {
		t.Fatal(err)
	}
	book, err := ParsePlaybook(docs[0])
	if err != nil {
		return "refused" // such as the same name twice
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(n) * time.Hour)
	f := hostile(random, n, target, now)
	resolved, err := Resolve(t.Context(), x.Deps.Cluster, f)
	if err != nil && !errors.Is(err, ErrNoTarget) {
		t.Fatal(err)
	}
	f.Subject = resolved
	in, _ := incident.Group(nil, f)
	run := Begin(book, in, f, resolved, ceiling, now)
	d := driver{x: x, yes: true, now: func() time.Time { return now }, pass: func(at time.Time) {
		if at.After(now) {
			now = at
		}
	}}
	return d.drive(t.Context(), book, run, 60).State
}

// TestObservingWritesNothing: with the ceiling observe, nothing is written,
// whatever playbooks say and people approve, to whatever target.
func TestObservingWritesNothing(t *testing.T) {
	p, targets := fort()
	random := rand.New(rand.NewPCG(1, 2))
	p.landed = func(w event.Write) { t.Errorf("%s %s %s/%s", w.Verb, w.Resource, w.Namespace, w.Name) }
	x := executorOn(p, event.ModeObserve, guard.Unlimited())
	states := map[event.RunState]int{}
	for n := range 200 {
		target := targets[random.IntN(len(targets))]
		if n%2 == 0 {
			target = event.PodRef("shop", fmt.Sprint("web-", random.IntN(40)))
		}
		states[aim(t, x, random, n, target, event.ModeObserve)]++
	}
	t.Logf("runs %v", states)
}

// TestKillSwitch sets and releases the pause a thousand times while runs begin
// and the API server answers slowly: no write is sent later than a second after
// the pause was set, and undoing goes on. The clock is virtual.
func TestKillSwitch(t *testing.T) {
	const toggles, workers = 1000, 4
	synctest.Test(t, func(t *testing.T) {
		p, ctrl := newPlane(), &hands{ceiling: event.ModeAct}
		random := rand.New(rand.NewPCG(3, 4))
		var mu sync.Mutex
		draw := func(n int) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Duration(random.IntN(n)) * time.Millisecond
		}
		w := &watched{plane: p, control: ctrl, set: map[bool]time.Time{}}
		p.slow = func() time.Duration { return draw(40) }
		x := &Executor{
			Deps:   action.Deps{Cluster: w, Logger: slog.New(slog.DiscardHandler)},
			Guards: guard.New(guard.Options{Control: ctrl, Cluster: p, Limits: guard.Unlimited()}),
		}
		book := parse(t, strings.Replace(actBook, "undo_after: 1h", "undo_after: 1s", 1))
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range workers {
			p.pod("shop", fmt.Sprint("p", i), nil)
		}
		for i := range workers {
			name := fmt.Sprint("p", i)
			all.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					now := time.Now().UTC()
					f := finding("shell", name, n)
					f.Time, f.Received = now, now
					target, err := Resolve(ctx, p, f)
					if err != nil {
						return
					}
					f.Subject = target
					in, _ := incident.Group(nil, f)
					d := driver{x: x, now: func() time.Time { return time.Now().UTC() }, pass: func(at time.Time) { _ = sleep(ctx, time.Until(at)) }}
					d.drive(ctx, book, Begin(book, in, f, target, event.ModeAct, now), 200)
				}
			})
		}
		for n := range toggles {
			on := n%2 == 0
			w.note(on)
			ctrl.set(on)
			if sleep(ctx, time.Millisecond+draw(3000)) != nil {
				t.Fatal("ended")
			}
		}
		stop()
		all.Wait()
		if w.late > 0 || w.worst > time.Second {
			t.Errorf("%d effects later than a second after the pause, the latest %s", w.late, w.worst)
		}
		if w.effects < 100 || w.undone < 100 || w.undonePaused == 0 {
			t.Errorf("%d effects, %d undone, %d of them while paused: nothing was tried", w.effects, w.undone, w.undonePaused)
		}
		t.Logf("%d toggles: %d effects, the latest %s after a pause; %d undone, %d while paused", toggles, w.effects, w.worst, w.undone, w.undonePaused)
	})
}

// watched sees when each write is sent.
type watched struct {
	*plane
	control *hands

	mu                                  sync.Mutex
	set                                 map[bool]time.Time
	paused                              bool
	late, effects, undone, undonePaused int
	worst                               time.Duration
}

func (w *watched) note(paused bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused, w.set[paused] = paused, time.Now()
}

func (w *watched) Apply(ctx context.Context, write event.Write, o kube.ApplyOptions) (string, string, error) {
	w.mu.Lock()
	effect := strings.Contains(string(write.Body), `"suspect":"yes"`)
	switch since := time.Since(w.set[true]); {
	case !effect:
		w.undone++
		if w.paused {
			w.undonePaused++
		}
	default:
		w.effects++
		if w.paused {
			w.worst = max(w.worst, since)
			if since > time.Second {
				w.late++
			}
		}
	}
	w.mu.Unlock()
	return w.plane.Apply(ctx, write, o)
}
