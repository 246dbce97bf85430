package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Nodes lists all nodes.
func (c *Client) Nodes(ctx context.Context) ([]corev1.Node, error) {
	list, err := c.typed.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", "", "nodes", "", ""}.fail(err)
	}
	return list.Items, nil
}

// Nodes is [Client.Nodes], at most a few seconds old.
func (c *Cache) Nodes(ctx context.Context) ([]corev1.Node, error) {
	return c.nodes.get(ctx, "", c.Client.Nodes)
}
