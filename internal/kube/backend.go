package kube

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const admission = "admissionregistration.k8s.io"

// Backend is a Service that the API server itself asks.
type Backend struct{ Namespace, Name string }

// apiServices are the APIs that the API server serves or hands on.
var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// Backends lists the Services of admission webhooks and of aggregated APIs.
func (c *Client) Backends(ctx context.Context) ([]Backend, error) {
	validating, err := c.typed.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", admission, "validatingwebhookconfigurations", "", ""}.fail(err)
	}
	mutating, err := c.typed.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", admission, "mutatingwebhookconfigurations", "", ""}.fail(err)
	}
	apis, err := c.dynamic.Resource(apiServices).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", apiServices.Group, apiServices.Resource, "", ""}.fail(err)
	}
	return backends(validating.Items, mutating.Items, apis.Items), nil
}

func backends(
	validating []admissionregistrationv1.ValidatingWebhookConfiguration, mutating []admissionregistrationv1.MutatingWebhookConfiguration,
	apis []unstructured.Unstructured,
) []Backend {
	var out []Backend
	add := func(s *admissionregistrationv1.ServiceReference) {
		if s != nil {
			out = append(out, Backend{s.Namespace, s.Name})
		}
	}
	for i := range validating {
		for j := range validating[i].Webhooks {
			add(validating[i].Webhooks[j].ClientConfig.Service)
		}
	}
	for i := range mutating {
		for j := range mutating[i].Webhooks {
			add(mutating[i].Webhooks[j].ClientConfig.Service)
		}
	}
	for i := range apis {
		spec, _ := apis[i].Object["spec"].(map[string]any)
		service, _ := spec["service"].(map[string]any)
		namespace, _ := service["namespace"].(string)
		if name, _ := service["name"].(string); name != "" {
			out = append(out, Backend{namespace, name})
		}
	}
	return out
}

// Backends is [Client.Backends], at most a few seconds old: they hardly ever
// change, and who may change them could do worse.
func (c *Cache) Backends(ctx context.Context) ([]Backend, error) {
	return c.backends.get(ctx, "", c.Client.Backends)
}
