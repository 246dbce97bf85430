package kube

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const admission = "admissionregistration.k8s.io"

// Backend is a Service that the API server itself asks.
type Backend struct{ Namespace, Name string }

// Backends lists the Services of admission webhooks and of aggregated APIs.
func (c *Client) Backends(ctx context.Context) ([]Backend, error) {
	var out []Backend
	add := func(s *admissionregistrationv1.ServiceReference) {
		if s != nil {
			out = append(out, Backend{s.Namespace, s.Name})
		}
	}
	validating, err := c.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", admission, "validatingwebhookconfigurations", "", ""}.fail(err)
	}
	for _, x := range validating.Items {
		for _, w := range x.Webhooks {
			add(w.ClientConfig.Service)
		}
	}
	mutating, err := c.typed.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", admission, "mutatingwebhookconfigurations", "", ""}.fail(err)
	}
	for _, x := range mutating.Items {
		for _, w := range x.Webhooks {
			add(w.ClientConfig.Service)
		}
	}
	more, err := c.aggregated(ctx)
	return append(out, more...), err
}

// aggregated are the Services of aggregated APIs (metrics, custom metrics).
func (c *Client) aggregated(ctx context.Context) ([]Backend, error) {
	at := schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}
	list, err := c.dynamic.Resource(at).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", at.Group, at.Resource, "", ""}.fail(err)
	}
	var out []Backend
	for _, x := range list.Items {
		spec, _ := x.Object["spec"].(map[string]any)
		service, _ := spec["service"].(map[string]any)
		namespace, _ := service["namespace"].(string)
		name, _ := service["name"].(string)
		if name != "" {
			out = append(out, Backend{namespace, name})
		}
	}
	return out, nil
}

// Backends is [Client.Backends], at most a few seconds old: they hardly ever
// change, and who may change them could do worse.
func (c *Cache) Backends(ctx context.Context) ([]Backend, error) {
	return c.backends.get(ctx, "", c.Client.Backends)
}
