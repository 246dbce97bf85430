package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const networking = "networking.k8s.io"

// Pod reads one pod.
func (c *Client) Pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	pod, err := c.typed.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	return answer(pod, err, request{"get", "", "pods", namespace, name})
}

// Pods lists the pods of a namespace (of all when it is empty) that a label
// selector in kubectl's form matches; an empty selector matches all.
func (c *Client) Pods(ctx context.Context, namespace, selector string) ([]corev1.Pod, error) {
	list, err := c.typed.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, request{"list", "", "pods", namespace, ""}.fail(err)
	}
	return list.Items, nil
}

// PodsOn lists the pods of a node, in all namespaces.
func (c *Client) PodsOn(ctx context.Context, node string) ([]corev1.Pod, error) {
	list, err := c.typed.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String()})
	if err != nil {
		return nil, request{"list", "", "pods", "", ""}.fail(err)
	}
	return list.Items, nil
}

// Node reads one node.
func (c *Client) Node(ctx context.Context, name string) (*corev1.Node, error) {
	node, err := c.typed.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	return answer(node, err, request{"get", "", "nodes", "", name})
}

// NodesBy lists the nodes that a label selector in kubectl's form matches; an
// empty selector matches all.
func (c *Client) NodesBy(ctx context.Context, selector string) ([]corev1.Node, error) {
	list, err := c.typed.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, request{"list", "", "nodes", "", ""}.fail(err)
	}
	return list.Items, nil
}

// Namespace reads one namespace.
func (c *Client) Namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	ns, err := c.typed.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	return answer(ns, err, request{"get", "", "namespaces", "", name})
}

// Services lists the services of a namespace.
func (c *Client) Services(ctx context.Context, namespace string) ([]corev1.Service, error) {
	list, err := c.typed.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", "", "services", namespace, ""}.fail(err)
	}
	return list.Items, nil
}

// NetworkPolicies lists the network policies of a namespace.
func (c *Client) NetworkPolicies(ctx context.Context, namespace string) ([]networkingv1.NetworkPolicy, error) {
	list, err := c.typed.NetworkingV1().NetworkPolicies(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, request{"list", networking, "networkpolicies", namespace, ""}.fail(err)
	}
	return list.Items, nil
}

// NetworkPolicy reads one network policy.
func (c *Client) NetworkPolicy(ctx context.Context, namespace, name string) (*networkingv1.NetworkPolicy, error) {
	policy, err := c.typed.NetworkingV1().NetworkPolicies(namespace).Get(ctx, name, metav1.GetOptions{})
	return answer(policy, err, request{"get", networking, "networkpolicies", namespace, name})
}

// Get reads any object, but of a Secret only its metadata; namespace is empty
// for what has none. Of a kind that others brought it may be [ErrUnanswered].
func (c *Client) Get(ctx context.Context, group, version, resource, namespace, name string) (*unstructured.Unstructured, error) {
	if group == "" && resource == "secrets" {
		return c.secret(ctx, namespace, name)
	}
	at := schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
	var object *unstructured.Unstructured
	ask := func(ctx context.Context) (err error) {
		object, err = c.resource(at, namespace).Get(ctx, name, metav1.GetOptions{})
		object, err = answer(object, err, request{"get", group, resource, namespace, name})
		return err
	}
	var err error
	if foreign(group) {
		err = c.silent.ask(ctx, "get "+at.String(), toAny, ask)
	} else {
		err = ask(ctx)
	}
	return object, err
}

// secret reads the metadata of a Secret: what it holds does not leave the API
// server.
func (c *Client) secret(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	meta, err := c.typed.CoreV1().RESTClient().Get().Namespace(namespace).Resource("secrets").Name(name).
		SetHeader("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").Do(ctx).Raw()
	if err != nil {
		return nil, request{"get", "", "secrets", namespace, name}.fail(err)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(meta); err != nil {
		return nil, request{"get", "", "secrets", namespace, name}.fail(err)
	}
	return object, nil
}

func answer[T any](object *T, err error, r request) (*T, error) {
	if err != nil {
		return nil, r.fail(err)
	}
	return object, nil
}
