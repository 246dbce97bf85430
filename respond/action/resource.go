package action

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

// Resource is what the API calls a kind of object: apps, v1, deployments.
type Resource struct{ Group, Version, Resource string }

// targetResources are what actions work on, beside pods and nodes.
func targetResources() []Resource {
	return []Resource{
		deployments, statefulSets, daemonSets, replicaSets, jobs, cronJobs, serviceAccounts, roleBindings, clusterRoleBindings,
		namespaceResource, services, ingresses, routes, gateways,
	}
}

// ResourceOf is the version in which actions work on the kind of an object;
// false is a kind that no action works on as a target, beside pods and nodes.
func ResourceOf(target event.Ref) (Resource, bool) {
	for _, x := range targetResources() {
		if x.Group == target.Group && x.Resource == target.Resource && target.Name != "" {
			return x, true
		}
	}
	return Resource{}, false
}

// Resources are the kinds of targets that have an object, as PLURAL.GROUP.
func Resources() []string {
	all := []string{"pods", "nodes"}
	for _, x := range targetResources() {
		name := x.Resource
		if x.Group != "" {
			name += "." + x.Group
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// namespaced says whether objects of a kind of target are in a namespace.
func (x Resource) namespaced() bool {
	return x != clusterRoleBindings && x != namespaceResource && x != nodes
}

// write is a write to an object of the resource, without a body.
func (x Resource) write(verb, namespace, name string) event.Write {
	return event.Write{Verb: verb, Group: x.Group, Version: x.Version, Resource: x.Resource, Namespace: namespace, Name: name}
}

// on is a conditional write to an object as it was read.
func (x Resource) on(verb string, o *unstructured.Unstructured) event.Write {
	w := x.write(verb, o.GetNamespace(), o.GetName())
	w.UID, w.ResourceVersion = string(o.GetUID()), o.GetResourceVersion()
	return w
}

// ref names an object that was read.
func (x Resource) ref(o *unstructured.Unstructured) event.Ref {
	return event.Ref{
		Group: x.Group, Resource: x.Resource, Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID()),
	}
}

// readObject reads the target, which must be of the resource, and makes sure
// that it is the object that is meant, not another that took its name.
func readObject(ctx context.Context, d Deps, x Resource, target event.Ref) (*unstructured.Unstructured, error) {
	switch {
	case target.Resource != x.Resource || target.Group != x.Group:
		return nil, refuse(target, "target is not one of %s", x.Resource)
	case target.Name == "":
		return nil, refuse(target, "target without a name")
	case target.UID == "" && !d.Offline:
		return nil, refuse(target, noteUnseen)
	}
	o, err := d.Cluster.Get(ctx, x.Group, x.Version, x.Resource, target.Namespace, target.Name)
	if errors.Is(err, kube.ErrNotFound) {
		return nil, gone(target)
	}
	if err != nil {
		return nil, err
	}
	if d.Offline {
		o.SetUID(types.UID(target.UID))
	}
	if string(o.GetUID()) != target.UID {
		return nil, gone(target)
	}
	return o.DeepCopy(), nil
}

// first is the first of some resources that the cluster serves; false if it
// serves none. It is how an action finds the best means that a cluster has. One for
// which nobody answers is none while there is another, else the error says so.
func first(ctx context.Context, c Cluster, list ...Resource) (Resource, bool, error) {
	var without error
	for _, x := range list {
		ok, err := c.Serves(ctx, x.Group, x.Version, x.Resource)
		switch {
		case kube.Unread(err):
			without = errors.Join(without, err)
		case err != nil || ok:
			return x, ok, err
		}
	}
	return Resource{}, false, without
}
