package action

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The objects by which Argo CD and Flux know what they keep in line with a
// repository. (https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml,
// https://fluxcd.io/flux/components/kustomize/kustomizations/, …/helm/helmreleases/)
var (
	applications   = Resource{"argoproj.io", "v1alpha1", "applications"}
	kustomizations = Resource{"kustomize.toolkit.fluxcd.io", "v1", "kustomizations"}
	helmReleases   = Resource{"helm.toolkit.fluxcd.io", "v2", "helmreleases"}
)

// The marks that they leave on objects.
const (
	argoTracking  = "argocd.argoproj.io/tracking-id" // APP:GROUP/KIND:NAMESPACE/NAME, APP with its namespace before an underscore
	argoInstance  = "argocd.argoproj.io/instance"
	plainInstance = "app.kubernetes.io/instance"
	fluxKustomize = "kustomize.toolkit.fluxcd.io/"
	fluxHelm      = "helm.toolkit.fluxcd.io/"
	fluxReconcile = "kustomize.toolkit.fluxcd.io/reconcile"
)

// ArgoNamespace is where Argo CD has its Applications unless it is told
// otherwise.
const ArgoNamespace = "argocd"

// keeper is a GitOps tool's object that keeps another in line.
type keeper struct {
	Resource
	// Tool is its name for people.
	Tool            string
	Namespace, Name string
}

func (k keeper) String() string {
	if k.Name == "" {
		return k.Tool
	}
	return fmt.Sprintf("%s %s %s", k.Tool, strings.TrimSuffix(k.Resource.Resource, "s"), cut(strings.TrimPrefix(k.Namespace+"/"+k.Name, "/"), maxText))
}

// keepers are those that an object's labels, annotations and managers of fields
// tell of. Whoever may edit the object can forge or remove them: they are for
// people, and nothing is decided by them alone.
func keepers(o *unstructured.Unstructured) []keeper {
	var all []keeper
	labels, notes := o.GetLabels(), o.GetAnnotations()
	manager := func(names ...string) bool {
		return slices.ContainsFunc(o.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool { return slices.Contains(names, m.Manager) })
	}
	argo := func(app string) {
		k := keeper{applications, "Argo CD", ArgoNamespace, app}
		if ns, name, ok := strings.Cut(app, "_"); ok {
			k.Namespace, k.Name = ns, name
		}
		all = append(all, k)
	}
	app, _, tracked := strings.Cut(notes[argoTracking], ":")
	switch {
	case tracked && app != "":
		argo(app)
	case labels[argoInstance] != "":
		argo(labels[argoInstance])
	case manager("argocd-controller", "argocd-application-controller"):
		argo(labels[plainInstance])
	}
	for _, f := range []struct {
		prefix, manager string
		Resource
	}{{fluxKustomize, "kustomize-controller", kustomizations}, {fluxHelm, "helm-controller", helmReleases}} {
		name, ns := labels[f.prefix+"name"], labels[f.prefix+"namespace"]
		if name != "" || manager(f.manager) {
			all = append(all, keeper{f.Resource, "Flux", ns, name})
		}
	}
	return all
}

// KeeperNotes says of each object that a plan changes or deletes which GitOps
// tool keeps it in line, and so may undo the change: one helper for the plans of
// all actions. What can't be read is no error: the write will say so.
//
// Pods and nodes are read as any reader of the plan does, other objects by one
// get each, which the write's own permissions cover.
func KeeperNotes(ctx context.Context, c Cluster, p event.Plan) (notes []string) {
	seen := map[string]bool{}
	for _, w := range p.Writes {
		at := w.Resource + "/" + w.Namespace + "/" + w.Name
		if w.Verb != "patch" && w.Verb != "delete" && w.Verb != "apply" || seen[at] || w.UID == "" {
			continue
		}
		seen[at] = true
		o, err := readKept(ctx, c, w)
		if err != nil || string(o.GetUID()) != w.UID {
			continue
		}
		for _, k := range keepers(o) {
			notes = append(notes, k.note(o, w))
		}
	}
	return notes
}

func readKept(ctx context.Context, c Cluster, w event.Write) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	switch {
	case w.Group == "" && w.Resource == "pods":
		pod, err := c.Pod(ctx, w.Namespace, w.Name)
		if err != nil {
			return nil, err
		}
		setMeta(o, pod)
		return o, nil
	case w.Group == "" && w.Resource == "nodes":
		node, err := c.Node(ctx, w.Name)
		if err != nil {
			return nil, err
		}
		setMeta(o, node)
		return o, nil
	}
	return c.Get(ctx, w.Group, w.Version, w.Resource, w.Namespace, w.Name)
}

// setMeta copies what of an object's metadata tells who keeps it.
func setMeta(to *unstructured.Unstructured, from metav1.Object) {
	to.Object = object{}
	to.SetName(from.GetName())
	to.SetNamespace(from.GetNamespace())
	to.SetUID(from.GetUID())
	to.SetLabels(from.GetLabels())
	to.SetAnnotations(from.GetAnnotations())
	to.SetManagedFields(from.GetManagedFields())
}

// note says what a keeper may do about a write.
func (k keeper) note(o *unstructured.Unstructured, w event.Write) string {
	name := w.Resource + " " + o.GetName()
	switch {
	case o.GetAnnotations()[fluxReconcile] == "disabled" && k.Tool == "Flux":
		return fmt.Sprintf("%s is managed by %s, which is told to leave it alone", name, k)
	case w.Verb == "delete":
		return fmt.Sprintf("%s is managed by %s, which may make it again: gitops.suspend holds that off", name, k)
	}
	return fmt.Sprintf("%s is managed by %s, which may undo the change with its next sync: gitops.suspend holds that off", name, k)
}
