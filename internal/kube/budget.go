package kube

import (
	"context"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const policyGroup = "policy"

// Budgets lists the PodDisruptionBudgets of a namespace.
func (c *Client) Budgets(ctx context.Context, namespace string) ([]policyv1.PodDisruptionBudget, error) {
	list, err := c.typed.PolicyV1().PodDisruptionBudgets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", policyGroup, "poddisruptionbudgets", namespace, ""}.fail(err)
	}
	return list.Items, nil
}
