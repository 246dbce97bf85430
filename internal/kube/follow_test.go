package kube

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/firebreak-io/firebreak/test/wait"
)

// following is a cache that follows a stand-in, which refuses to watch some
// resources.
func following(t *testing.T, refused ...string) (Recent, *fake.Clientset) {
	t.Helper()
	api := fake.NewClientset(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "web"}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}, Status: corev1.NodeStatus{Images: []corev1.ContainerImage{{SizeBytes: 1}}}},
	)
	for _, resource := range refused {
		api.PrependReactor("list", resource, func(a ktesting.Action) (bool, runtime.Object, error) {
			if a.GetNamespace() == "" {
				return true, nil, errors.New("forbidden")
			}
			return false, nil, nil
		})
	}
	r := Recent{NewCache(&Client{typed: api})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Follow(ctx, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return r, api
}

// lists counts the requests for lists of one namespace.
func lists(api *fake.Clientset) int {
	n := 0
	for _, a := range api.Actions() {
		if a.GetVerb() == "list" && a.GetNamespace() != "" {
			n++
		}
	}
	return n
}

// TestFollowed: what is watched is not asked for, is that of its namespace alone,
// shows what comes, and is let go of with the context.
func TestFollowed(t *testing.T) {
	r, api := following(t)
	wait.Until(t, "all is followed", func() bool {
		s := r.around.Load()
		return s != nil && s.services.informer.HasSynced() && s.policies.informer.HasSynced() && s.budgets.informer.HasSynced() && s.nodes.informer.HasSynced()
	})
	services, err := r.Services(t.Context(), "shop")
	if err != nil || len(services) != 1 || services[0].Namespace != "shop" {
		t.Errorf("Services gives %v, %v", services, err)
	}
	if nodes, err := r.Nodes(t.Context()); err != nil || len(nodes) != 1 || nodes[0].Status.Images != nil {
		t.Errorf("Nodes gives %v, %v", nodes, err)
	}
	if budgets, err := r.Budgets(t.Context(), "shop"); err != nil || len(budgets) != 0 {
		t.Errorf("Budgets gives %v, %v", budgets, err)
	}
	if n := lists(api); n != 0 {
		t.Errorf("%d lists were asked for", n)
	}
	policy := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "deny"}}
	if _, err := api.NetworkingV1().NetworkPolicies("shop").Create(t.Context(), policy, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the policy is seen", func() bool {
		policies, err := r.NetworkPolicies(t.Context(), "shop")
		return err == nil && len(policies) == 1
	})
	if n := lists(api); n != 0 {
		t.Errorf("%d lists were asked for", n)
	}
	// After a write of ours the watch may be late.
	r.policies.forget("shop")
	if _, err := r.NetworkPolicies(t.Context(), "shop"); err != nil || lists(api) != 1 {
		t.Errorf("after a write %d lists were asked for (%v)", lists(api), err)
	}
}

// TestNotFollowed: what may not be watched is asked for.
func TestNotFollowed(t *testing.T) {
	r, api := following(t, "services")
	wait.Until(t, "the watch fails", func() bool {
		s := r.around.Load()
		return s != nil && s.services.failed.Load() != 0
	})
	services, err := r.Services(t.Context(), "shop")
	if err != nil || len(services) != 1 || lists(api) != 1 {
		t.Errorf("Services gives %v, %v after %d lists", services, err, lists(api))
	}
}
