package cases

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// cluster is the objects of a case. It takes writes as the API server does: a
// patch or delete is refused when UID or resourceVersion are not the object's.
// What is claimed to work on a real one is proved there.
type cluster struct {
	action.Offline
	objects map[string]map[string]any
	version int
}

// newCluster makes the objects that a case gives.
func newCluster(given []conf.Raw) (*cluster, error) {
	c := &cluster{objects: map[string]map[string]any{}}
	for _, raw := range given {
		var o map[string]any
		if err := raw.Decode(&o); err != nil {
			return nil, err
		}
		data, err := json.Marshal(o)
		if err != nil {
			return nil, raw.Errorf("%v", err)
		}
		if err := json.Unmarshal(data, &o); err != nil {
			return nil, raw.Errorf("%v", err)
		}
		key := keyOf(o)
		if key == "" {
			return nil, raw.Errorf("an object needs a kind (Pod, Node, Service, NetworkPolicy, Namespace, ReplicaSet, StatefulSet, DaemonSet) and metadata.name")
		}
		meta := metaOf(o)
		if meta["uid"] == nil {
			meta["uid"] = "uid-" + fmt.Sprint(meta["name"])
		}
		if o["kind"] == "Node" && o["status"] == nil { // a node that nothing is said of is well
			o["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
		}
		c.put(key, o)
	}
	return c, nil
}

// resources are the plural names of the kinds.
func resources() map[string]string {
	return map[string]string{
		"Pod": "pods", "Node": "nodes", "Service": "services", "NetworkPolicy": "networkpolicies", "Namespace": "namespaces", "Event": "events",
		"ReplicaSet": "replicasets", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets",
	}
}

func keyOf(o map[string]any) string {
	kind, _ := o["kind"].(string)
	name, _ := metaOf(o)["name"].(string)
	namespace, _ := metaOf(o)["namespace"].(string)
	if resources()[kind] == "" || name == "" {
		return ""
	}
	return resources()[kind] + "/" + namespace + "/" + name
}

func metaOf(o map[string]any) map[string]any {
	meta, ok := o["metadata"].(map[string]any)
	if !ok {
		meta = map[string]any{}
		o["metadata"] = meta
	}
	return meta
}

func (c *cluster) put(key string, o map[string]any) {
	c.version++
	metaOf(o)["resourceVersion"] = strconv.Itoa(c.version)
	c.objects[key] = o
}

// Apply takes one write.
func (c *cluster) Apply(_ context.Context, w event.Write, o kube.ApplyOptions) (uid, resourceVersion string, err error) {
	key := w.Resource + "/" + w.Namespace + "/" + w.Name
	old, there := c.objects[key]
	if w.Verb == "create" {
		return c.create(key, w, there, o.DryRun)
	}
	meta := metaOf(old)
	switch {
	case !there:
		return "", "", fmt.Errorf("%s %s: %w", w.Verb, key, kube.ErrNotFound)
	case w.UID != "" && w.UID != meta["uid"]:
		return "", "", fmt.Errorf("%s %s: %w", w.Verb, key, kube.ErrUIDMismatch)
	case w.ResourceVersion != "" && w.ResourceVersion != meta["resourceVersion"]:
		return "", "", fmt.Errorf("%s %s: %w", w.Verb, key, kube.ErrConflict)
	case o.DryRun:
		return fmt.Sprint(meta["uid"]), fmt.Sprint(meta["resourceVersion"]), nil
	case w.Verb == "delete":
		delete(c.objects, key)
		return "", "", nil
	}
	var patch map[string]any
	if err := json.Unmarshal(w.Body, &patch); err != nil {
		return "", "", fmt.Errorf("patch %s: %w", key, err)
	}
	merged := merge(old, patch)
	metaOf(merged)["uid"] = meta["uid"]
	c.put(key, merged)
	return fmt.Sprint(meta["uid"]), fmt.Sprint(metaOf(merged)["resourceVersion"]), nil
}

func (c *cluster) create(key string, w event.Write, there, dry bool) (uid, resourceVersion string, err error) {
	if there {
		return "", "", fmt.Errorf("create %s: %w", key, kube.ErrExists)
	}
	var o map[string]any
	if err := json.Unmarshal(w.Body, &o); err != nil {
		return "", "", fmt.Errorf("create %s: %w", key, err)
	}
	metaOf(o)["uid"] = "uid-" + w.Name
	if !dry {
		c.put(key, o)
	}
	return "uid-" + w.Name, fmt.Sprint(metaOf(o)["resourceVersion"]), nil
}

// merge is a JSON merge patch (RFC 7396).
func merge(old, patch map[string]any) map[string]any {
	out := make(map[string]any, len(old))
	for k, v := range old {
		out[k] = v
	}
	for k, v := range patch {
		inner, isMap := v.(map[string]any)
		before, _ := out[k].(map[string]any)
		switch {
		case v == nil:
			delete(out, k)
		case isMap:
			out[k] = merge(before, inner)
		default:
			out[k] = v
		}
	}
	return out
}

func get[T any](c *cluster, resource, namespace, name string) (*T, error) {
	o, ok := c.objects[resource+"/"+namespace+"/"+name]
	if !ok {
		return nil, fmt.Errorf("get %s %s/%s: %w", resource, namespace, name, kube.ErrNotFound)
	}
	out := new(T)
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(data, out)
}

func list[T any](c *cluster, resource, namespace, selector string) ([]T, error) {
	chosen, err := labels.Parse(selector)
	if err != nil {
		return nil, err
	}
	var out []T
	for key, o := range c.objects {
		parts := strings.SplitN(key, "/", 3)
		if parts[0] != resource || namespace != "" && parts[1] != namespace || !chosen.Matches(labelsOf(o)) {
			continue
		}
		one, err := get[T](c, parts[0], parts[1], parts[2])
		if err != nil {
			return nil, err
		}
		out = append(out, *one)
	}
	return out, nil
}

func labelsOf(o map[string]any) labels.Set {
	out := labels.Set{}
	all, _ := metaOf(o)["labels"].(map[string]any)
	for k, v := range all {
		out[k] = fmt.Sprint(v)
	}
	return out
}

// Pod gives a pod; see [action.Cluster].
func (c *cluster) Pod(_ context.Context, namespace, name string) (*corev1.Pod, error) {
	return get[corev1.Pod](c, "pods", namespace, name)
}

// Pods gives those that a selector selects.
func (c *cluster) Pods(_ context.Context, namespace, selector string) ([]corev1.Pod, error) {
	return list[corev1.Pod](c, "pods", namespace, selector)
}

// Node gives a node.
func (c *cluster) Node(_ context.Context, name string) (*corev1.Node, error) {
	return get[corev1.Node](c, "nodes", "", name)
}

// NodesBy gives those that a selector selects.
func (c *cluster) NodesBy(_ context.Context, selector string) ([]corev1.Node, error) {
	return list[corev1.Node](c, "nodes", "", selector)
}

// Namespace gives one, which there need not be in the case.
func (c *cluster) Namespace(ctx context.Context, name string) (*corev1.Namespace, error) {
	if n, err := get[corev1.Namespace](c, "namespaces", "", name); err == nil {
		return n, nil
	}
	return c.Offline.Namespace(ctx, name)
}

// Services gives those of a namespace.
func (c *cluster) Services(_ context.Context, namespace string) ([]corev1.Service, error) {
	return list[corev1.Service](c, "services", namespace, "")
}

// NetworkPolicies gives those of a namespace.
func (c *cluster) NetworkPolicies(_ context.Context, namespace string) ([]networkingv1.NetworkPolicy, error) {
	return list[networkingv1.NetworkPolicy](c, "networkpolicies", namespace, "")
}

// NetworkPolicy gives one.
func (c *cluster) NetworkPolicy(_ context.Context, namespace, name string) (*networkingv1.NetworkPolicy, error) {
	return get[networkingv1.NetworkPolicy](c, "networkpolicies", namespace, name)
}
