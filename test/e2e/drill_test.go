package e2e

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/drill"
	"github.com/firebreak-io/firebreak/respond/guard"
	"github.com/firebreak-io/firebreak/respond/notify"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

const drillSpace = "firebreak-drill"

// plugin stands in for what kwok has none of: a network plugin, and the prober's
// probes. Again and again it evaluates the policies of the pair's namespace as
// they are on the API server, and sets the prober's readiness by whether a
// connection to the target would get through.
type plugin struct {
	client kubernetes.Interface

	mu sync.Mutex
	// off is a plugin that enforces nothing; prunes is somebody who takes every
	// hold policy away at once.
	off, prunes bool
	failed      error
}

func (p *plugin) set(off, prunes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off, p.prunes = off, prunes
}

func (p *plugin) run(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.round(ctx)
		if ctx.Err() != nil {
			return
		}
		p.mu.Lock()
		p.failed = err
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *plugin) round(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.prunes {
		err := p.client.NetworkingV1().NetworkPolicies(drillSpace).Delete(ctx, action.HoldPolicyName, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	pods, err := p.client.CoreV1().Pods(drillSpace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	policies, err := p.client.NetworkingV1().NetworkPolicies(drillSpace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	// One that was made since it looked is gone in a moment, and never enforced.
	policies.Items = slices.DeleteFunc(policies.Items, func(o networkingv1.NetworkPolicy) bool { return p.prunes && o.Name == action.HoldPolicyName })
	space, err := p.client.CoreV1().Namespaces().Get(ctx, drillSpace, metav1.GetOptions{})
	if err != nil {
		return err
	}
	report, err := reach.New(reach.State{Pods: pods.Items, Namespaces: []corev1.Namespace{*space}, NetworkPolicies: policies.Items}).Report(drillSpace, "target-0")
	if err != nil {
		return err
	}
	want := corev1.ConditionFalse
	if p.off || len(report.Ingress) > 0 {
		want = corev1.ConditionTrue
	}
	at := slices.IndexFunc(pods.Items, func(o corev1.Pod) bool { return o.Name == "prober-0" })
	if at < 0 {
		return errors.New("there is no prober")
	}
	prober := pods.Items[at]
	for i, c := range prober.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status != want {
			prober.Status.Conditions[i].Status = want
			_, err = p.client.CoreV1().Pods(drillSpace).UpdateStatus(ctx, &prober, metav1.UpdateOptions{})
		}
	}
	return err
}

// pages takes them.
type pages struct {
	mu   sync.Mutex
	sent []notify.Message
}

func (p *pages) Put(_ context.Context, m notify.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, m)
	return nil
}

// last is the one that came last.
func (p *pages) last() notify.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) == 0 {
		return notify.Message{}
	}
	return p.sent[len(p.sent)-1]
}

// drilled is the shipped pair on the shared control plane, and a responder with
// the rights that are printed for the default actions.
type drilled struct {
	*drill.Drill
	t      *testing.T
	admin  kubernetes.Interface
	plugin *plugin
	pages  *pages
	store  *bus.Bus
	log    *runlog.Log
	act    action.Action
}

// pair applies the shipped manifests, and waits until both pods are up.
func pair(t *testing.T) kubernetes.Interface {
	t.Helper()
	client := admin(t)
	config, err := clientcmd.BuildConfigFromFlags("", plane(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{mapper: mapper(config)}
	if d.dynamic, err = dynamic.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := client.CoreV1().Namespaces().Delete(ctx, drillSpace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	// The namespace that another test let go may be ending still, and takes nothing new.
	eventually(t, "no namespace "+drillSpace+" is ending", func(ctx context.Context) error {
		space, err := client.CoreV1().Namespaces().Get(ctx, drillSpace, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil && space.DeletionTimestamp != nil:
			return fmt.Errorf("it is %s", space.Status.Phase)
		}
		return err
	})
	for _, o := range manifests(t, "../../deploy/drill/drill.yaml") {
		eventually(t, o.GetKind()+" "+o.GetName(), func(ctx context.Context) error { return d.apply(ctx, o) })
	}
	// The responder of a test is an account of its own.
	reads := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "of-the-test"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "firebreak-drill"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:serviceaccounts"}},
	}
	if _, err := client.RbacV1().RoleBindings(drillSpace).Create(t.Context(), reads, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	ready(t, client, drillSpace, "app=firebreak-drill-target", 1)
	ready(t, client, drillSpace, "app=firebreak-drill-prober", 1)
	return client
}

func newDrilled(t *testing.T) *drilled {
	plane(t)
	bare(t)
	client := pair(t)
	d := &drilled{t: t, admin: client, plugin: &plugin{client: client}, pages: &pages{}}
	cache := kube.NewCache(responder(t, client, nil))
	k, _ := action.Lookup("pod.quarantine")
	var err error
	if d.act, err = k.New(action.Deps{Cluster: cache}, nil); err != nil {
		t.Fatal(err)
	}
	if d.store, err = bus.Open(t.Context(), bus.Options{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.store.Close() })
	d.log = runlog.New(d.store, 0)
	control := respond.NewControl(d.store, event.ModeAsk) // a drill asks nobody all the same
	quiet := slog.New(slog.DiscardHandler)
	d.Drill = &drill.Drill{
		Config:  drill.Config{Every: conf.Duration(time.Hour), Namespace: drillSpace, Target: "target-0", Prober: "prober-0", Page: []string{"pager"}},
		Cluster: cache, Runs: respond.NewDrills(d.store), Verify: d.act.(action.Verifier), Control: control, Outbox: d.pages, Store: d.store.Control(),
		Logger: quiet, Tick: 50 * time.Millisecond,
	}
	deps := action.Deps{Cluster: cache, Logger: quiet, Drill: d.Drill}
	worker, err := respond.NewWorker(t.Context(), respond.WorkerOptions{
		Alone: true, Bus: d.store, Control: control, Telemetry: telemetry.Nop(), Logger: quiet, Reconcile: time.Hour,
		Executor: &respond.Executor{Deps: deps, Recent: kube.Recent{Cache: cache}, Preview: cache, Guards: guard.New(guard.Options{
			Control: control, Cluster: kube.Recent{Cache: cache}, Ledger: guard.NewLedger(d.store.Control()), Drill: d.Drill,
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := worker.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	all.Go(func() { d.plugin.run(ctx) })
	t.Cleanup(func() { cancel(); all.Wait() })
	return d
}

// once holds a drill. Where the prober is to be cut off, it may take its time;
// where it never will be, there is nothing to wait for.
func (d *drilled) once(want drill.Capability) drill.Status {
	d.t.Helper()
	eventually(d.t, "the prober gets through", func(ctx context.Context) error {
		p, err := d.admin.CoreV1().Pods(drillSpace).Get(ctx, "prober-0", metav1.GetOptions{})
		if err == nil && !isReady(*p) {
			d.plugin.mu.Lock()
			err = fmt.Errorf("it does not (%w)", d.plugin.failed)
			d.plugin.mu.Unlock()
		}
		return err
	})
	d.Config.Wait = conf.Duration(patience)
	if want != drill.Enforced {
		d.Config.Wait = conf.Duration(2500 * time.Millisecond)
	}
	before := d.target()
	s := d.Once(d.t.Context())
	if s.Capability != want {
		d.t.Errorf("%+v, want %s", s, want)
	}
	d.t.Logf("%s: %s", s.Capability, s.Note)
	run := d.recorded(s)
	if run.State != event.RunClosed || !strings.HasPrefix(run.Reason, "containment drill: "+string(want)) {
		d.t.Errorf("run %s is %s: %s", run.ID, run.State, run.Reason)
	}
	if after := d.target(); marks(d.t, after.ObjectMeta) != marks(d.t, before.ObjectMeta) || after.UID != before.UID || hasPolicy(d.t, d.admin, drillSpace) {
		d.t.Errorf("left over: %s", marks(d.t, after.ObjectMeta))
	}
	return s
}

func (d *drilled) target() *corev1.Pod { return getPod(d.t, d.admin, drillSpace, "target-0") }

// recorded is the drill's run, which has all that any run has.
func (d *drilled) recorded(s drill.Status) event.Run {
	d.t.Helper()
	var run event.Run
	var previous string
	states := map[event.StepState]bool{}
	for rec, err := range d.log.History(d.t.Context(), s.Run) {
		if err != nil {
			d.t.Fatal(err)
		}
		if rec.Run.Previous != previous {
			d.t.Errorf("record %d does not follow the one before", rec.Run.Record)
		}
		run, previous = rec.Run, rec.Hash
		for _, step := range run.Steps {
			states[step.State] = true
		}
	}
	step := run.Steps[0]
	if !run.Drill || !states[event.StepIntent] || !states[event.StepDone] || step.Plan == nil || step.Receipt == nil || step.Undo == nil || step.Reserved == nil {
		d.t.Fatalf("recorded is %+v", run)
	}
	if step.Reserved.Budget != guard.BudgetDrills {
		d.t.Errorf("it took a place of %q", step.Reserved.Budget)
	}
	for _, v := range step.Verdicts {
		if v.Decision != event.Pass {
			d.t.Errorf("guard %s says %s: %s", v.Guard, v.Decision, v.Reason)
		}
	}
	return run
}

func (d *drilled) paged(n int, op notify.Op, part string) {
	d.t.Helper()
	if len(d.pages.sent) != n {
		d.t.Fatalf("%d pages, want %d: %+v", len(d.pages.sent), n, d.pages.sent)
	}
	if last := d.pages.sent[n-1]; last.Op != op || !strings.Contains(last.Notice.Title, part) || last.Incident != d.pages.sent[0].Incident {
		d.t.Errorf("paged %+v, want %s with %q", last, op, part)
	}
}

// TestDrill holds drills on the shipped pair with a stand-in for the network
// plugin, and breaks containment in each way on purpose: people are paged, and
// told when it works again.
func TestDrill(t *testing.T) {
	d := newDrilled(t)
	d.once(drill.Enforced)
	if len(d.pages.sent) != 0 {
		t.Errorf("paged %+v", d.pages.sent)
	}
	if works, known, note := d.Works(); !works || !known {
		t.Errorf("enforcement is not known: %s", note)
	}
	uses, err := guard.Uses(t.Context(), d.store.Control(), guard.DefaultLimits().Budgets, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uses {
		if u.Used != 0 {
			t.Errorf("the drill took of what attacks may need: %+v", u)
		}
	}

	d.plugin.set(false, true) // somebody takes the policy away, each time
	d.once(drill.Leaking)
	d.paged(1, notify.Trigger, "leaks: ")
	d.plugin.set(false, false)
	d.once(drill.Enforced)
	d.paged(2, notify.Resolve, "works again")

	allowPolicy(t, d.admin, drillSpace, "wide", allowAll)
	d.once(drill.Leaking)
	d.paged(3, notify.Trigger, "NetworkPolicy firebreak-drill/wide allows it")
	if works, known, note := d.Works(); works || known {
		t.Errorf("a leak in one namespace counts for all: %s", note)
	}
	if err := d.admin.NetworkingV1().NetworkPolicies(drillSpace).Delete(t.Context(), "wide", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}

	d.plugin.set(true, false) // a plugin that enforces nothing, as kwok without it
	d.once(drill.Absent)
	d.paged(4, notify.Trigger, "does not enforce")
	d.void()
	d.plugin.set(false, false)
	d.once(drill.Enforced)
	d.paged(5, notify.Resolve, "works again")

	d.refused()

	// What a guard says no to is no run that asks people.
	if _, err := d.admin.CoreV1().Namespaces().Patch(t.Context(), drillSpace, "application/merge-patch+json", []byte(`{"metadata":{"annotations":{"firebreak.io/protected":"true"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a drill is refused", func(ctx context.Context) error {
		s := d.Once(ctx)
		if s.Capability != drill.Unknown || !strings.Contains(s.Note, "is annotated as protected") {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	})
	d.paged(14, notify.Trigger, "could not be tried")
}

// refused: admission refuses the quarantine, its policy, or a pod of the pair.
// Nothing is left of such a drill, people are told once who refused what, and that
// a drill works again when it is let through.
func (d *drilled) refused() {
	t := d.t
	for i, by := range []func(*testing.T, kubernetes.Interface, string) fixed{fixedLabels, fixedPolicies} {
		fixed := by(t, d.admin, drillSpace)
		before := d.target()
		for range 2 {
			if s := d.Once(t.Context()); s.Capability != drill.Refused || !strings.Contains(s.Note, fixed.name) {
				t.Errorf("%+v", s)
			}
			if after := d.target(); marks(t, after.ObjectMeta) != marks(t, before.ObjectMeta) || hasPolicy(t, d.admin, drillSpace) {
				t.Errorf("left over: %s", marks(t, after.ObjectMeta))
			}
		}
		d.paged(6+2*i, notify.Trigger, "is not proved")
		fixed.remove()
		d.works("the policy is forgotten")
		d.paged(7+2*i, notify.Resolve, "works again")
	}

	none := resource.MustParse("0")
	quotas := d.admin.CoreV1().ResourceQuotas(drillSpace)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "nothing"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: none}}}
	if _, err := quotas.Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the quota is in force", func(ctx context.Context) error {
		q, err := quotas.Get(ctx, "nothing", metav1.GetOptions{})
		if err == nil && len(q.Status.Hard) == 0 {
			err = errors.New("it counts nothing")
		}
		return err
	})
	d.missing("exceeded quota: nothing", 10, func(ctx context.Context) error { return quotas.Delete(ctx, "nothing", metav1.DeleteOptions{}) })

	// The shipped namespace takes restricted pods alone; the shipped pair is such.
	asRoot := func(ctx context.Context, root string) error {
		patch := fmt.Appendf(nil, `{"spec":{"template":{"spec":{"securityContext":{"runAsNonRoot":%s}}}}}`, root)
		_, err := d.admin.AppsV1().StatefulSets(drillSpace).Patch(ctx, "target", "application/merge-patch+json", patch, metav1.PatchOptions{})
		return err
	}
	if err := asRoot(t.Context(), "false"); err != nil {
		t.Fatal(err)
	}
	d.missing("violates PodSecurity", 12, func(ctx context.Context) error { return asRoot(ctx, "true") })
}

// missing: the target goes, and what refuses the next one is told with page number n;
// once that is let go the pair is whole, and a drill works again.
func (d *drilled) missing(refusal string, n int, let func(context.Context) error) {
	t := d.t
	t.Helper()
	err := d.admin.CoreV1().Pods(drillSpace).Delete(t.Context(), "target-0", metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	eventually(t, "a drill is told: "+refusal, func(ctx context.Context) error {
		s := d.Once(ctx)
		if s.Capability != drill.Refused || !strings.Contains(s.Note, refusal) {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	})
	// Until the Event was there the pod was only gone, which was news by itself.
	if last := d.pages.last(); len(d.pages.sent) > n+1 || last.Op != notify.Trigger || !strings.Contains(last.Notice.Title, "is not proved") {
		t.Errorf("paged %+v", d.pages.sent)
	}
	d.pages.sent = append(d.pages.sent[:n-1:n-1], d.pages.last())
	if err := let(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What it waits for before it tries again is its own: a change of it is looked at at once.
	eventually(t, "the pair is whole", func(ctx context.Context) error {
		note := fmt.Appendf(nil, `{"metadata":{"annotations":{"example.com/again":"%d"}}}`, time.Now().UnixNano())
		if _, err := d.admin.AppsV1().StatefulSets(drillSpace).Patch(ctx, "target", "application/merge-patch+json", note, metav1.PatchOptions{}); err != nil {
			return err
		}
		_, err := d.admin.CoreV1().Pods(drillSpace).Get(ctx, "target-0", metav1.GetOptions{})
		return err
	})
	ready(t, d.admin, drillSpace, "app=firebreak-drill-target", 1)
	d.works("nothing refuses any more: " + refusal)
	d.paged(n+1, notify.Resolve, "works again")
}

// works waits until a drill finds that containment works.
func (d *drilled) works(why string) {
	d.t.Helper()
	d.Config.Wait = conf.Duration(patience)
	eventually(d.t, "a drill works: "+why, func(ctx context.Context) error {
		if s := d.Once(ctx); s.Capability != drill.Enforced {
			return fmt.Errorf("it is %+v", s)
		}
		return nil
	})
}

// fixed is an admission policy that refuses something of everybody.
type fixed struct {
	name   string
	remove func()
}

// fixedLabels lets nobody change labels of pods.
func fixedLabels(t *testing.T, client kubernetes.Interface, space string) fixed {
	t.Helper()
	rule := admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}
	return inForce(t, client, space, "fixed-labels", rule, "object.metadata.?labels == oldObject.metadata.?labels", func(ctx context.Context) error {
		_, err := client.CoreV1().Pods(space).Patch(ctx, "prober-0", "application/merge-patch+json", []byte(`{"metadata":{"labels":{"x":"y"}}}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
}

// fixedPolicies lets nobody make network policies.
func fixedPolicies(t *testing.T, client kubernetes.Interface, space string) fixed {
	t.Helper()
	rule := admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create},
		Rule:       admissionv1.Rule{APIGroups: []string{networkingv1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"networkpolicies"}},
	}
	return inForce(t, client, space, "fixed-policies", rule, "false", func(ctx context.Context) error {
		_, err := client.NetworkingV1().NetworkPolicies(space).Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "tried"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
}

// inForce makes such a policy, and waits until the API server refuses by it what is
// tried.
func inForce(t *testing.T, client kubernetes.Interface, space, name string, rule admissionv1.RuleWithOperations, unless string, try func(context.Context) error) fixed {
	t.Helper()
	api := client.AdmissionregistrationV1()
	deny := admissionv1.Fail
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &deny,
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: space}},
				ResourceRules:     []admissionv1.NamedRuleWithOperations{{RuleWithOperations: rule}},
			},
			Validations: []admissionv1.Validation{{Expression: unless, Message: "this is fixed"}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	}
	if _, err := api.ValidatingAdmissionPolicies().Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.ValidatingAdmissionPolicyBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	remove := sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		err := errors.Join(
			api.ValidatingAdmissionPolicyBindings().Delete(ctx, name, metav1.DeleteOptions{}),
			api.ValidatingAdmissionPolicies().Delete(ctx, name, metav1.DeleteOptions{}))
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(remove)
	eventually(t, name+" is in force", func(ctx context.Context) error {
		if try(ctx) == nil {
			return errors.New("nothing is refused")
		}
		return nil
	})
	return fixed{name, remove}
}

// void: while the last drill saw no enforcement, a quarantine is said to be void.
func (d *drilled) void() {
	t := d.t
	ns := namespace(t, d.admin)
	c := responder(t, d.admin, nil)
	k, _ := action.Lookup("pod.quarantine")
	knowing, err := k.New(action.Deps{Cluster: c, Drill: d.Drill}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := request(lonely(t, d.admin, ns, "web"))
	p, done := do(t, knowing, r)
	if seen := verified(t, knowing, r, p, done); seen.Result != event.ResultVoid || !noted(seen.Notes, "enforcement is absent") {
		t.Errorf("%+v", seen)
	}
	undo(t, knowing, r, done, event.AtEndDelete)
}
