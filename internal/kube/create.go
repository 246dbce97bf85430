package kube

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// Create makes every object of a manifest, YAML documents as kubectl create
// takes them, in order. It stops at the first error. It is for the demo and
// tests: no action uses it.
func (c *Client) Create(ctx context.Context, manifest []byte) error {
	objects, err := decodeObjects(manifest)
	if err != nil {
		return err
	}
	groups, err := restmapper.GetAPIGroupResources(c.typed.Discovery())
	if err != nil {
		return fmt.Errorf("read the kinds of the cluster: %w", err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	for _, object := range objects {
		kind := object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return fmt.Errorf("create %s %s: %w", kind.Kind, object.GetName(), err)
		}
		namespace := object.GetNamespace()
		if mapping.Scope.Name() == meta.RESTScopeNameRoot {
			namespace = ""
		}
		at := mapping.Resource
		_, err = c.resource(at, namespace).Create(ctx, object, metav1.CreateOptions{})
		if err := (request{"create", at.Group, at.Resource, namespace, object.GetName()}).fail(err); err != nil {
			return err
		}
	}
	return nil
}

func decodeObjects(manifest []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict(document, &object.Object); err != nil {
			return nil, fmt.Errorf("read manifest: %w", err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// List reads the objects of one resource that a label selector in kubectl's
// form matches; namespace is empty for what has none, and for all. Of a kind that
// others brought it may be an error of which [Unread] says so.
func (c *Client) List(ctx context.Context, group, version, resource, namespace, selector string) ([]unstructured.Unstructured, error) {
	at := schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
	var items []unstructured.Unstructured
	ask := func(ctx context.Context) error {
		list, err := c.resource(at, namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return request{"list", group, resource, namespace, ""}.fail(err)
		}
		items = list.Items
		return nil
	}
	var err error
	if foreign(group) {
		err = c.silent.ask(ctx, at.String()+" of "+namespace+selector, toRead, ask)
	} else {
		err = ask(ctx)
	}
	return items, err
}

// CreateToken makes a token of a service account that is good for a while. It
// is for the demo and tests.
func (c *Client) CreateToken(ctx context.Context, of Account, good time.Duration) (string, error) {
	seconds := int64(good.Seconds())
	review, err := c.typed.CoreV1().ServiceAccounts(of.Namespace).CreateToken(ctx, of.Name, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", request{"create", "", "serviceaccounts/token", of.Namespace, of.Name}.fail(err)
	}
	return review.Status.Token, nil
}

// DecodeJobSpec reads the spec of a batch/v1 Job, YAML or JSON, and gives it as
// JSON. A field that it does not have is an error.
func DecodeJobSpec(text []byte) ([]byte, error) {
	var spec batchv1.JobSpec
	if err := yaml.UnmarshalStrict(text, &spec); err != nil {
		return nil, fmt.Errorf("read job: %w", err)
	}
	if len(spec.Template.Spec.Containers) == 0 {
		return nil, errors.New("read job: no container")
	}
	return json.Marshal(spec)
}
