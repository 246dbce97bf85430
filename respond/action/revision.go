package action

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

// revision is a pod template that a workload had.
type revision struct {
	number   int64
	name     string
	template object
}

const (
	revisionKey  = "deployment.kubernetes.io/revision"
	templateHash = "pod-template-hash"
)

var controllerRevisions = Resource{"apps", "v1", "controllerrevisions"}

// revisions lists the templates of a workload that the cluster still has, the
// newest first: a Deployment's are its ReplicaSets, those of others
// ControllerRevisions.
func revisions(ctx context.Context, c Cluster, target event.Ref) ([]revision, error) {
	from, read := controllerRevisions, ofControllerRevision
	if target.Resource == deployments.Resource {
		from, read = replicaSets, ofReplicaSet
	}
	list, err := c.List(ctx, from.Group, from.Version, from.Resource, target.Namespace, "")
	if err != nil {
		return nil, err
	}
	var all []revision
	for i := range list {
		if !controls(target.UID, &list[i]) {
			continue
		}
		if rev, ok := read(&list[i]); ok {
			rev.name = list[i].GetName()
			all = append(all, rev)
		}
	}
	slices.SortFunc(all, func(a, b revision) int { return int(min(max(b.number-a.number, -1), 1)) })
	return all, nil
}

// controls says whether an object's controller has this UID.
func controls(uid string, o *unstructured.Unstructured) bool {
	for _, owner := range o.GetOwnerReferences() {
		if owner.Controller != nil && *owner.Controller && string(owner.UID) == uid {
			return true
		}
	}
	return false
}

func ofReplicaSet(o *unstructured.Unstructured) (revision, bool) {
	number, err := strconv.ParseInt(o.GetAnnotations()[revisionKey], 10, 64)
	template, found, _ := unstructured.NestedMap(o.Object, "spec", "template")
	unstructured.RemoveNestedField(template, "metadata", "labels", templateHash)
	return revision{number: number, template: template}, err == nil && found
}

func ofControllerRevision(o *unstructured.Unstructured) (revision, bool) {
	number, numbered := numberAt(o.Object, "revision")
	template, found, _ := unstructured.NestedMap(o.Object, "data", "spec", "template")
	delete(template, "$patch")
	return revision{number: number, template: template}, numbered && found
}

// changes are the fields by which one value becomes another: objects by their
// keys, anything else as a whole. What is null or empty counts as absent, as
// the API server leaves it out.
func changes(from, to any, path []string) []field {
	old, isObject := from.(map[string]any)
	wanted, stays := to.(map[string]any)
	if !isObject || !stays {
		if equalJSON(from, to) {
			return nil
		}
		return []field{{Path: slices.Clone(path), Value: to}}
	}
	var list []field
	for _, k := range unionOf(old, wanted) {
		a, b := solid(old[k]), solid(wanted[k])
		if a == nil && b == nil {
			continue
		}
		list = append(list, changes(a, b, append(slices.Clone(path), k))...)
	}
	return list
}

func unionOf(a, b object) (keys []string) {
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// solid is a value, or nil for an object in which there is nothing.
func solid(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for _, inner := range m {
		if solid(inner) != nil {
			return v
		}
	}
	return nil
}

// earlier picks the revision to go back to: the one of a number, or the newest
// whose template is not the present one.
func earlier(all []revision, now any, number int64) (revision, error) {
	for _, r := range all {
		if number != 0 && r.number == number {
			return r, nil
		}
		if number == 0 && len(changes(now, r.template, nil)) > 0 {
			return r, nil
		}
	}
	if number != 0 {
		return revision{}, fmt.Errorf("there is no revision %d any more", number)
	}
	return revision{}, fmt.Errorf("there is no earlier revision")
}
