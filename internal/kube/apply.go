package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/firebreak-io/firebreak/internal/event"
)

// ApplyOptions say how a write is sent.
type ApplyOptions struct {
	// DryRun lets the API server check everything and store nothing.
	DryRun bool
	// FieldManager is [FieldManager] when empty.
	FieldManager string
}

// Apply sends one planned write, and nothing that is not in it. It returns
// the UID and resourceVersion of the object afterwards (none after a delete).
//
// A patch is a JSON merge patch that carries metadata.uid and
// metadata.resourceVersion of the write, a delete has them as preconditions:
// an object that changed since is [ErrConflict], another object of the same
// name [ErrUIDMismatch] or ErrConflict. A create of what is there already is
// [ErrExists]. A create of a subresource (an eviction, a token) carries the UID
// alone, and the resourceVersion if the write has one; [ErrBusy] says that it
// may be taken later. An apply is a server-side apply with the write's own field
// manager: it carries what the write has of UID and resourceVersion, and a field
// that is another manager's is ErrConflict.
//
// A write of a kind that others brought may be [ErrUnanswered]: whether it landed is
// as little known as of any write that fails.
//
// What the API server only hands on (exec, a proxy) is not sent: that is for
// [Client.Command] and [Client.Call].
func (c *Client) Apply(ctx context.Context, w event.Write, o ApplyOptions) (uid, resourceVersion string, err error) {
	var object *unstructured.Unstructured
	send := func(ctx context.Context) (err error) {
		object, err = c.apply(ctx, w, o)
		return err
	}
	if foreign(w.Group) {
		err = c.silent.ask(ctx, w.Verb+" "+w.Resource+"."+w.Group, toAny, send)
	} else {
		err = send(ctx)
	}
	if err != nil || object == nil {
		return "", "", err
	}
	return string(object.GetUID()), object.GetResourceVersion(), nil
}

// apply is Apply, and gives the object as it is afterwards; nil after a delete.
func (c *Client) apply(ctx context.Context, w event.Write, o ApplyOptions) (*unstructured.Unstructured, error) {
	o.FieldManager = cmp.Or(w.Manager, o.FieldManager, FieldManager)
	if w.Name == "" || w.Resource == "" || w.Version == "" {
		return nil, fmt.Errorf("%s %s %q: write without a version, resource or name", w.Verb, w.Resource, w.Name)
	}
	if !w.Dry() {
		return nil, fmt.Errorf("%s %s: %w", w.Verb, resourceOf(w), ErrHandedOn)
	}
	var object *unstructured.Unstructured
	var err error
	at := schema.GroupVersionResource{Group: w.Group, Version: w.Version, Resource: w.Resource}
	to := c.resource(at, w.Namespace)
	switch w.Verb {
	case "create":
		object, err = create(ctx, to, w, o)
	case "patch":
		object, err = patch(ctx, to, w, o)
	case "apply":
		object, err = serverSide(ctx, to, w, o)
	case "delete":
		err = c.remove(ctx, to, w, o)
	default:
		err = fmt.Errorf("verb %q is none of create, patch, apply, delete", w.Verb)
	}
	if err != nil {
		return nil, asked(w).fail(err)
	}
	return object, nil
}

// resourceOf is what RBAC calls it: pods/eviction.
func resourceOf(w event.Write) string {
	sub, _, _ := strings.Cut(w.Subresource, "/")
	if sub == "" {
		return w.Resource
	}
	return w.Resource + "/" + sub
}

// asked names a write in errors, with the verb that RBAC has for it.
func asked(w event.Write) request {
	verb := w.Verb
	if verb == "apply" {
		verb = "patch"
	}
	return request{verb, w.Group, resourceOf(w), w.Namespace, w.Name}
}

func subresources(w event.Write) []string {
	if w.Subresource == "" {
		return nil
	}
	return []string{w.Subresource}
}

func create(ctx context.Context, to dynamic.ResourceInterface, w event.Write, o ApplyOptions) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(w.Body, &object.Object); err != nil {
		return nil, fmt.Errorf("decode body: %w", err)
	}
	if object.GetName() != w.Name || object.GetNamespace() != w.Namespace {
		return nil, fmt.Errorf("body names %s/%s", object.GetNamespace(), object.GetName())
	}
	if w.Subresource != "" {
		if err := bound(object, w, o); err != nil {
			return nil, err
		}
	}
	return to.Create(ctx, object, metav1.CreateOptions{FieldManager: o.FieldManager, DryRun: dry(o)}, subresources(w)...)
}

// bound makes the create of a subresource conditional on the object's UID: an
// eviction by the preconditions of the delete that it is, others by
// metadata.uid. An eviction takes its dry run from there, too.
func bound(object *unstructured.Unstructured, w event.Write, o ApplyOptions) error {
	if w.UID == "" {
		return ErrUnconditional
	}
	if w.Subresource != "eviction" {
		return unstructured.SetNestedField(object.Object, w.UID, "metadata", "uid")
	}
	conditions := map[string]any{"uid": w.UID}
	if w.ResourceVersion != "" {
		conditions["resourceVersion"] = w.ResourceVersion
	}
	if o.DryRun {
		if err := unstructured.SetNestedStringSlice(object.Object, dry(o), "deleteOptions", "dryRun"); err != nil {
			return err
		}
	}
	return unstructured.SetNestedField(object.Object, conditions, "deleteOptions", "preconditions")
}

func serverSide(ctx context.Context, to dynamic.ResourceInterface, w event.Write, o ApplyOptions) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(w.Body, &object.Object); err != nil {
		return nil, fmt.Errorf("decode body: %w", err)
	}
	if object.GetName() != w.Name || object.GetNamespace() != w.Namespace {
		return nil, fmt.Errorf("body names %s/%s", object.GetNamespace(), object.GetName())
	}
	if w.UID != "" {
		object.SetUID(types.UID(w.UID))
	}
	if w.ResourceVersion != "" {
		object.SetResourceVersion(w.ResourceVersion)
	}
	return to.Apply(ctx, w.Name, object, metav1.ApplyOptions{FieldManager: o.FieldManager, DryRun: dry(o)}, subresources(w)...)
}

func patch(ctx context.Context, to dynamic.ResourceInterface, w event.Write, o ApplyOptions) (*unstructured.Unstructured, error) {
	body, err := conditional(w)
	if err != nil {
		return nil, err
	}
	return to.Patch(ctx, w.Name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: o.FieldManager, DryRun: dry(o)}, subresources(w)...)
}

// patchPod is [Client.Apply] for a patch of a pod, and gives the pod as it is
// afterwards: typed, its answer costs either side half as much.
func (c *Client) patchPod(ctx context.Context, w event.Write, o ApplyOptions) (*corev1.Pod, error) {
	if w.Name == "" || w.Version != "v1" {
		return nil, fmt.Errorf("%s %s %q: write without a version, resource or name", w.Verb, w.Resource, w.Name)
	}
	body, err := conditional(w)
	if err != nil {
		return nil, asked(w).fail(err)
	}
	options := metav1.PatchOptions{FieldManager: cmp.Or(w.Manager, o.FieldManager, FieldManager), DryRun: dry(o)}
	pod, err := c.typed.CoreV1().Pods(w.Namespace).Patch(ctx, w.Name, types.MergePatchType, body, options)
	if err != nil {
		return nil, asked(w).fail(err)
	}
	return pod, nil
}

// conditional is the body with the UID and resourceVersion that it must meet.
func conditional(w event.Write) ([]byte, error) {
	if w.UID == "" || w.ResourceVersion == "" {
		return nil, ErrUnconditional
	}
	var body map[string]any
	if err := json.Unmarshal(w.Body, &body); err != nil {
		return nil, fmt.Errorf("decode body: %w", err)
	}
	meta, ok := body["metadata"].(map[string]any)
	if !ok {
		if body["metadata"] != nil || body == nil {
			return nil, fmt.Errorf("body is no object with metadata")
		}
		meta = map[string]any{}
		body["metadata"] = meta
	}
	meta["uid"], meta["resourceVersion"] = w.UID, w.ResourceVersion
	return json.Marshal(body)
}

func (c *Client) remove(ctx context.Context, to dynamic.ResourceInterface, w event.Write, o ApplyOptions) error {
	if w.UID == "" || w.ResourceVersion == "" {
		return ErrUnconditional
	}
	var options metav1.DeleteOptions
	if len(w.Body) > 0 {
		if err := json.Unmarshal(w.Body, &options); err != nil {
			return fmt.Errorf("decode body: %w", err)
		}
	}
	uid := types.UID(w.UID)
	options.Preconditions = &metav1.Preconditions{UID: &uid, ResourceVersion: &w.ResourceVersion}
	if options.DryRun = dry(o); o.DryRun {
		return c.removeDry(ctx, w, options)
	}
	return to.Delete(ctx, w.Name, options)
}

// removeDry tries a delete. Where there is a body the API server goes by that
// alone; the dry run stands in the address too, so that who reads the audit log
// sees none in which something went.
func (c *Client) removeDry(ctx context.Context, w event.Write, options metav1.DeleteOptions) error {
	options.TypeMeta = metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"}
	body, err := json.Marshal(options)
	if err != nil {
		return fmt.Errorf("encode options: %w", err)
	}
	parts := []string{"/apis", w.Group, w.Version}
	if w.Group == "" {
		parts = []string{"/api", w.Version}
	}
	if w.Namespace != "" {
		parts = append(parts, "namespaces", w.Namespace)
	}
	return c.typed.Discovery().RESTClient().Delete().AbsPath(append(parts, w.Resource, w.Name)...).
		Param("dryRun", metav1.DryRunAll).SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
}

func (c *Client) resource(at schema.GroupVersionResource, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return c.dynamic.Resource(at)
	}
	return c.dynamic.Resource(at).Namespace(namespace)
}

func dry(o ApplyOptions) []string {
	if o.DryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}
