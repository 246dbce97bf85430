package respond

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/guard"
)

// surroundings are what a plan's target stands in.
type surroundings struct {
	*cluster
	owner    kube.Owner
	services []corev1.Service
	budgets  []policyv1.PodDisruptionBudget
	nodes    []corev1.Node
	away     error
	// says is the answer to each dry run, tried what was sent.
	says  func(event.Write) ([]string, error)
	tried []event.Write
}

func (s *surroundings) Owner(context.Context, *corev1.Pod) (kube.Owner, error) {
	return s.owner, s.away
}

func (s *surroundings) Services(context.Context, string) ([]corev1.Service, error) {
	return s.services, s.away
}

func (s *surroundings) NodesBy(context.Context, string) ([]corev1.Node, error) {
	return s.nodes, s.away
}

func (s *surroundings) Budgets(context.Context, string) ([]policyv1.PodDisruptionBudget, error) {
	return s.budgets, s.away
}

func (s *surroundings) PodsOn(_ context.Context, node string) ([]corev1.Pod, error) {
	done := corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}
	return []corev1.Pod{{}, done, {}}, s.away
}

func (s *surroundings) DryRun(_ context.Context, w event.Write) ([]string, error) {
	s.tried = append(s.tried, w)
	if s.says == nil {
		return nil, nil
	}
	return s.says(w)
}

func service(name string, selector map[string]string) corev1.Service {
	return corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: corev1.ServiceSpec{Selector: selector}}
}

func budget(name string, allowed int32, labels map[string]string) policyv1.PodDisruptionBudget {
	return policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}},
		Status: policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed},
	}
}

// shop is pod a, ready, of a workload of three.
func shop(kind string) *surroundings {
	s := &surroundings{
		cluster: newCluster("a"),
		owner: kube.Owner{
			Kind: kind, Name: "web-1", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}, Replicas: 3, Ready: 3,
			Top: event.Workload{Kind: kind, Name: "web"},
		},
		services: []corev1.Service{service("web", map[string]string{"app": "web"}), service("other", map[string]string{"app": "db"}), service("none", nil)},
		budgets:  []policyv1.PodDisruptionBudget{budget("web", 1, map[string]string{"app": "web"}), budget("db", 0, map[string]string{"app": "db"})},
		nodes:    []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, {ObjectMeta: metav1.ObjectMeta{Name: "n2"}}, {ObjectMeta: metav1.ObjectMeta{Name: "n3"}, Spec: corev1.NodeSpec{Unschedulable: true}}},
	}
	s.meddle("a", func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	})
	return s
}

func TestLoss(t *testing.T) {
	pod, node := event.PodRef("shop", "a"), event.NodeRef("n1")
	takes := action.Kind{Budget: "pods"}
	for name, c := range map[string]struct {
		in     *surroundings
		kind   action.Kind
		target event.Ref
		want   *event.Loss
	}{
		"a Deployment's pod": {shop("ReplicaSet"), takes, pod, &event.Loss{
			Endpoints: []string{"shop/web"}, Workload: "ReplicaSet shop/web", Wanted: 3, Ready: 3, ReadyAfter: 2, Replaced: true,
			Budgets: []event.Headroom{{Budget: "shop/web", Allowed: 1}},
		}},
		"a StatefulSet's pod": {shop("StatefulSet"), takes, pod, &event.Loss{
			Endpoints: []string{"shop/web"}, Workload: "StatefulSet shop/web", Wanted: 3, Ready: 3, ReadyAfter: 2,
			Budgets: []event.Headroom{{Budget: "shop/web", Allowed: 1}},
		}},
		"deleted": {shop("StatefulSet"), action.Kind{Destroys: true}, pod, &event.Loss{
			Endpoints: []string{"shop/web"}, Workload: "StatefulSet shop/web", Wanted: 3, Ready: 3, ReadyAfter: 2, Replaced: true,
			Budgets: []event.Headroom{{Budget: "shop/web", Allowed: 1}},
		}},
		"a node":       {shop(""), action.Kind{Budget: "nodes"}, node, &event.Loss{Nodes: 2, NodesAfter: 1, Pods: 2}},
		"only a label": {shop("ReplicaSet"), action.Kind{}, pod, nil},
		"no pod":       {shop("ReplicaSet"), takes, event.Ref{Resource: "deployments", Name: "web"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			x := &Executor{Deps: action.Deps{Cluster: c.in}, Preview: c.in}
			got := x.loss(t.Context(), c.kind, event.Plan{Target: c.target, Writes: []event.Write{{}}})
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("lost is %+v, want %+v", got, c.want)
			}
		})
	}
	// A pod that does not serve is missed by nobody; what can't be read is said.
	s := shop("ReplicaSet")
	s.meddle("a", func(p *corev1.Pod) { p.Status.Conditions = nil })
	x := &Executor{Deps: action.Deps{Cluster: s}, Preview: s}
	if l := x.loss(t.Context(), takes, event.Plan{Target: pod, Writes: []event.Write{{}}}); len(l.Endpoints) > 0 || l.ReadyAfter != l.Ready {
		t.Errorf("of a pod that is not ready is lost %+v", l)
	}
	s.away = errors.New("away")
	l := x.loss(t.Context(), takes, event.Plan{Target: pod, Writes: []event.Write{{}}})
	if len(l.Unknown) != 3 || !strings.Contains(strings.Join(l.Unknown, "\n"), "PodDisruptionBudgets: away") {
		t.Errorf("not known is %q", l.Unknown)
	}
}

// TestPreview: what the API server says to a dry run stands in the plan that
// people see, whatever it says; what is done at once is not tried first.
func TestPreview(t *testing.T) {
	refused := fmt.Errorf("patch pod shop/a: %w", errors.New(`admission webhook "no.example" denied the request: not today`))
	for name, c := range map[string]struct {
		mode  event.Mode
		says  func(event.Write) ([]string, error)
		want  string
		sends int
	}{
		"observe":    {event.ModeObserve, nil, "dry run: the API server takes the one write", 1},
		"ask":        {event.ModeAsk, nil, "dry run: the API server takes the one write", 1},
		"act":        {event.ModeAct, nil, "", 0},
		"refused":    {event.ModeObserve, func(event.Write) ([]string, error) { return nil, refused }, "dry run: the API server refuses it: patch pod shop/a: admission webhook", 1},
		"changed":    {event.ModeObserve, func(event.Write) ([]string, error) { return []string{`spec.a is "x"`}, nil }, `dry run: after patch pods shop/a, spec.a is "x"`, 1},
		"meanwhile":  {event.ModeObserve, func(event.Write) ([]string, error) { return nil, kube.ErrConflict }, "dry run: patch pods shop/a: it has just been changed", 1},
		"there then": {event.ModeObserve, func(event.Write) ([]string, error) { return nil, kube.ErrExists }, "refuses it", 1}, // no create
	} {
		t.Run(name, func(t *testing.T) {
			s := shop("ReplicaSet")
			s.says = c.says
			book := parse(t, actBook)
			target := event.PodRef("shop", "a")
			target.UID = "uid-a"
			f := finding("shell", "a", 1)
			f.Subject = target
			run := Begin(book, event.Incident{ID: "i"}, f, target, event.ModeAct, f.Time)
			run.Mode = c.mode
			x := &Executor{
				Deps: action.Deps{Cluster: s, Logger: slog.New(slog.DiscardHandler)}, Preview: s,
				Guards: guard.New(guard.Options{Control: free{}, Cluster: s}),
			}
			p := x.Plan(t.Context(), book, run, 0, f.Time)
			if notes := strings.Join(p.Plan.Notes, "\n"); p.Failure != "" || len(s.tried) != c.sends || !strings.Contains(notes, c.want) || c.want == "" && strings.Contains(notes, dryRun) {
				t.Fatalf("%d dry runs, notes %q, want %q (%s)", len(s.tried), p.Plan.Notes, c.want, p.Error)
			}
			// Planned again and the same, it keeps what was said.
			run.Steps[0].State, run.Steps[0].Plan, run.Steps[0].Digest = event.StepPlanned, &p.Plan, p.Digest
			again := x.Plan(t.Context(), book, run, 0, f.Time)
			if !reflect.DeepEqual(again.Plan.Notes, p.Plan.Notes) || len(s.tried) != c.sends {
				t.Errorf("planned again it says %q after %d dry runs", again.Plan.Notes, len(s.tried))
			}
			if n, _ := s.label("a", "suspect"); n != "" {
				t.Error("the pod was changed")
			}
		})
	}
}

// TestTries: a dry run is for people who are going to be asked, and for nobody else.
func TestTries(t *testing.T) {
	book := parse(t, actBook)
	x := &Executor{Preview: shop("ReplicaSet")}
	verdict := func(d event.Decision) []event.Verdict { return []event.Verdict{{Guard: "g", Decision: d}} }
	for name, c := range map[string]struct {
		mode event.Mode
		p    Planned
		want bool
	}{
		"nothing against an act":     {event.ModeAct, Planned{}, false},
		"an act that waits":          {event.ModeAct, Planned{Verdicts: verdict(event.Wait)}, false},
		"an act that a guard asks":   {event.ModeAct, Planned{Verdicts: verdict(event.Ask)}, true},
		"asked about":                {event.ModeAsk, Planned{Verdicts: verdict(event.Pass)}, true},
		"asked about, later":         {event.ModeAsk, Planned{Verdicts: verdict(event.Wait)}, true},
		"refused":                    {event.ModeAsk, Planned{Verdicts: verdict(event.Deny)}, false},
		"only watched and refused":   {event.ModeObserve, Planned{Verdicts: verdict(event.Deny)}, false},
		"approved, its place taken":  {event.ModeAsk, Planned{Reserved: &event.Reservation{}}, false},
		"tried before":               {event.ModeAsk, Planned{Plan: event.Plan{Notes: []string{dryRun + "so"}}}, false},
		"not to be planned":          {event.ModeAsk, Planned{Failure: FailedGone}, false},
		"only watched, would be let": {event.ModeObserve, Planned{}, true},
	} {
		run := Begin(book, event.Incident{ID: "i"}, finding("shell", "a", 1), event.PodRef("shop", "a"), event.ModeAct, time.Now())
		if run.Mode = c.mode; x.tries(c.p, book, run) != c.want {
			t.Errorf("%s: it is tried: %v", name, !c.want)
		}
	}
}

// free holds nothing back.
type free struct{}

func (free) Paused(context.Context) (bool, string, error) { return false, "", nil }
func (free) Ceiling(context.Context) (event.Mode, error)  { return event.ModeAct, nil }
