package e2e

import (
	"context"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

func init() {
	left := func(_ *trial, o *unstructured.Unstructured) string {
		if o != nil && o.GetDeletionTimestamp() == nil {
			return "the pod is there still"
		}
		return ""
	}
	for _, kind := range []string{"pod.evict", "pod.delete"} {
		conform(fixture{
			kind: kind, at: podResource, make: makePod, ready: podReady, held: left, moves: true, fulfilled: true,
			config: func(*trial) any {
				one := int64(1)
				if kind == "pod.evict" {
					return &action.EvictConfig{Grace: &one}
				}
				return &action.PodDeleteConfig{Grace: &one}
			},
		})
	}
}

// TestEvictionWaitsForTheBudget: while a budget allows no disruption it waits,
// and nothing is deleted; as soon as it does the pod goes.
func TestEvictionWaitsForTheBudget(t *testing.T) {
	c := &trial{t: t, admin: admin(t), x: fixture{at: podResource}}
	c.ns = namespace(t, c.admin)
	c.all = dynamicClient(t)
	makePod(c, "web")
	pod := ready(t, c.admin, c.ns, "app=web", 1)[0]
	one := intstr.FromInt32(1)
	budget, err := c.admin.PolicyV1().PodDisruptionBudgets(c.ns).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &one, Selector: selector},
	}, metav1.CreateOptions{})
	c.no(err, "create budget")
	client, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
	c.no(err, "make client")
	evict := build(t, "pod.evict", client, &action.EvictConfig{})
	r := request(pod)
	p, err := evict.Plan(t.Context(), r)
	c.no(err, "plan")
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	// What the error says is tested elsewhere: the time may be up anywhere.
	if done, err := evict.Do(short, r, p); err == nil {
		t.Errorf("against the budget: %+v", done)
	}
	if now := getPod(t, c.admin, c.ns, "web"); now.UID != pod.UID || now.DeletionTimestamp != nil {
		t.Fatal("the pod was taken away against the budget")
	}
	c.no(c.admin.PolicyV1().PodDisruptionBudgets(c.ns).Delete(t.Context(), budget.Name, metav1.DeleteOptions{}), "delete budget")
	done, err := evict.Do(t.Context(), r, p)
	if err != nil || done.Result != event.ResultApplied {
		t.Error(done, err)
	}
}
