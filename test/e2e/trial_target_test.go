package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/firebreak-io/firebreak/respond/action"
)

// api is where the objects of a resource are.
func (c *trial) api(x action.Resource, namespaced bool) dynamic.ResourceInterface {
	at := c.all.Resource(schema.GroupVersionResource{Group: x.Group, Version: x.Version, Resource: x.Resource})
	if !namespaced {
		return at
	}
	return at.Namespace(c.ns)
}

// namespaced says that targets are of a namespace: all but what a cluster has
// one set of.
func (c *trial) namespaced() bool {
	switch c.x.at.Resource {
	case "nodes", "namespaces", "clusterrolebindings", "clusterroles", "validatingadmissionpolicies":
		return false
	}
	return true
}

// target makes a new one.
func (c *trial) target() *unstructured.Unstructured {
	c.t.Helper()
	c.made++
	name := fmt.Sprintf("%s-%d", c.ns, c.made)
	c.x.make(c, name)
	if c.x.named != nil {
		name = c.x.named(c, name)
	}
	return c.settled(name)
}

// settled waits until the target is ready and nobody changes it any more.
func (c *trial) settled(name string) *unstructured.Unstructured {
	c.t.Helper()
	var o *unstructured.Unstructured
	seen := ""
	eventually(c.t, c.x.at.Resource+" "+name, func(context.Context) error {
		if o = c.find(name); o == nil {
			return errors.New("is not there")
		}
		if c.x.ready != nil {
			if err := c.x.ready(o); err != nil {
				return err
			}
		}
		if last := seen; last != o.GetResourceVersion() {
			seen = o.GetResourceVersion()
			return errors.New("is changed still")
		}
		return nil
	})
	return o
}

// find reads the target; nil is that there is none.
func (c *trial) find(name string) *unstructured.Unstructured {
	c.t.Helper()
	o, err := c.api(c.x.at, c.namespaced()).Get(c.ctx(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	c.no(err, "read target")
	return o
}

// read is find of one that an undo left there.
func (c *trial) read(name string) *unstructured.Unstructured {
	c.t.Helper()
	o := c.find(name)
	if o == nil && c.kind.Reversible {
		c.t.Fatalf("%s %s is gone", c.x.at.Resource, name)
	}
	return o
}

// remove deletes the target, as its kubelet does when it is a pod. Who deletes
// a pod at once has kwok delete it, too, by its name and perhaps when another
// has that name.
func (c *trial) remove(o *unstructured.Unstructured) {
	c.t.Helper()
	err := c.api(c.x.at, c.namespaced()).Delete(c.ctx(), o.GetName(), metav1.DeleteOptions{})
	c.no(err, "delete target")
	eventually(c.t, "end of "+o.GetName(), func(context.Context) error {
		if now := c.find(o.GetName()); now != nil {
			return errors.New("is there still")
		}
		return nil
	})
}

// clean is an object without what the API server and controllers keep about it.
func (c *trial) clean(o *unstructured.Unstructured) map[string]any {
	if o == nil {
		return nil
	}
	m := o.DeepCopy().Object
	delete(m, "status")
	for _, k := range []string{"managedFields", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(m, "metadata", k)
	}
	if c.x.trim != nil {
		c.x.trim(m)
	}
	return m
}

// surroundings are the objects around, by resource and name.
func (c *trial) surroundings() map[string]any {
	c.t.Helper()
	all := map[string]any{}
	for _, x := range c.x.around {
		list, err := c.api(x, x.Group != "policy.networking.k8s.io" && x.Group != "flowcontrol.apiserver.k8s.io").List(c.ctx(), metav1.ListOptions{})
		c.no(err, "list "+x.Resource)
		for _, o := range list.Items {
			if o.GetDeletionTimestamp() == nil {
				all[x.Resource+"/"+o.GetName()] = c.clean(&o)
			}
		}
	}
	return all
}

// patch edits the target as somebody else.
func (c *trial) patch(name, body string) {
	c.t.Helper()
	_, err := c.api(c.x.at, c.namespaced()).Patch(c.ctx(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: "somebody"})
	c.no(err, "edit target")
}

// create makes an object of YAML or JSON in the trial's namespace, if it has
// one.
func (c *trial) create(x action.Resource, namespaced bool, object any) {
	c.t.Helper()
	data, err := json.Marshal(object)
	c.no(err, "encode")
	o := &unstructured.Unstructured{}
	c.no(json.Unmarshal(data, &o.Object), "decode")
	_, err = c.api(x, namespaced).Create(c.ctx(), o, metav1.CreateOptions{FieldManager: "somebody"})
	c.no(err, "create "+x.Resource)
	if !namespaced {
		c.t.Cleanup(func() {
			_ = c.api(x, false).Delete(context.WithoutCancel(c.ctx()), o.GetName(), metav1.DeleteOptions{})
		})
	}
}

var podResource = action.Resource{Version: "v1", Resource: "pods"}

// makePod makes a pod that no controller knows of.
func makePod(c *trial, name string) {
	pod := corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"app": "web", "team": "shop"}, Annotations: map[string]string{"note": "a \"quoted\" one"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "registry.example/web:1"}}},
	}
	c.create(podResource, true, pod)
}

// podReady waits for a pod's container.
func podReady(o *unstructured.Unstructured) error {
	if phase, _, _ := unstructured.NestedString(o.Object, "status", "phase"); phase != "Running" {
		return fmt.Errorf("is %q", phase)
	}
	return nil
}

// text reads a string of an object; empty if there is none.
func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}
