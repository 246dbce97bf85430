package action

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const gitopsSuspend = "gitops.suspend"

func init() {
	at := []Resource{applications, kustomizations, helmReleases}
	register(Kind{
		Name: gitopsSuspend,
		Doc: "Keeps Argo CD or Flux for a time from undoing what is changed: suspends the Kustomization or HelmRelease, or takes the automation off the Application, that the target's labels and annotations name. " +
			"All that it keeps in line is not kept so meanwhile.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Holds:      at,
		Fields:     []string{"/spec/suspend", "/spec/syncPolicy/automated"},
		Config:     func() any { return new(GitOpsConfig) },
		Needs: append(needs(at, "get", "list", "patch"),
			append(needs([]Resource{deployments, statefulSets, daemonSets, cronJobs, jobs, replicaSets}, "get"), Permission{Resource: "pods", Verbs: []string{"get"}})...),
		Admits: admits(at, "UPDATE", func(x Resource) string {
			parts := map[Resource][]string{
				applications: {"spec.source", "spec.sources", "spec.destination", "spec.project", "spec.ignoreDifferences", "spec.info", "spec.revisionHistoryLimit", "spec.syncPolicy.syncOptions", "spec.syncPolicy.retry"},
				kustomizations: {
					"spec.sourceRef", "spec.path", "spec.prune", "spec.targetNamespace", "spec.patches", "spec.images", "spec.postBuild", "spec.serviceAccountName",
					"spec.kubeConfig", "spec.force", "spec.wait", "spec.interval", "spec.components", "spec.decryption", "spec.dependsOn", "spec.healthChecks", "spec.commonMetadata",
				},
				helmReleases: {
					"spec.chart", "spec.chartRef", "spec.values", "spec.valuesFrom", "spec.releaseName", "spec.targetNamespace", "spec.storageNamespace",
					"spec.serviceAccountName", "spec.kubeConfig", "spec.postRenderers", "spec.install", "spec.upgrade", "spec.rollback", "spec.uninstall", "spec.interval", "spec.dependsOn",
				},
			}
			return admitSpec(parts[x]...)
		}),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[GitOpsConfig](gitopsSuspend, config)
			if err != nil {
				return nil, err
			}
			return elsewhere{fields{Deps: d, action: gitopsSuspend, at: at}, gitops{d, *c}.find}, nil
		},
	})
}

// GitOpsConfig are the parameters of gitops.suspend.
type GitOpsConfig struct {
	// Namespace is where Applications are that name no namespace; empty is
	// argocd.
	Namespace string `yaml:"namespace,filled" json:"namespace,omitempty"`
}

type gitops struct {
	Deps
	GitOpsConfig
}

// find gives what keeps the target in line, or the workload that it is a pod of.
func (g gitops) find(ctx context.Context, r Request) ([]found, string, []string, error) {
	summary := fmt.Sprintf("suspend what keeps %s in line with a repository", r.Target)
	if g.Offline {
		return nil, summary, nil, nil
	}
	objects, err := g.kept(ctx, r.Target)
	if err != nil {
		return nil, summary, nil, err
	}
	var list []found
	var notes []string
	seen := map[keeper]bool{}
	for _, o := range objects {
		for _, k := range keepers(o) {
			if k.Tool == "Argo CD" && g.Namespace != "" && k.Namespace == ArgoNamespace {
				k.Namespace = g.Namespace
			}
			if seen[k] {
				continue
			}
			seen[k] = true
			one, note, err := g.suspend(ctx, k)
			if err != nil {
				return nil, summary, nil, err
			}
			notes = append(notes, note)
			if one != nil {
				list = append(list, *one)
			}
		}
	}
	if len(seen) == 0 {
		notes = append(notes, "nothing says that Argo CD or Flux manages it")
	}
	return list, summary, notes, nil
}

// kept is the target, and of a pod its workload too.
func (g gitops) kept(ctx context.Context, target event.Ref) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	if target.IsPod() {
		pod, err := readPod(ctx, g.Deps, target)
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		setMeta(o, pod)
		all = append(all, o)
		ref, ok := WorkloadRef(target.Namespace, target.Workload)
		if !ok {
			return all, nil
		}
		target = ref
	}
	at := []Resource{deployments, statefulSets, daemonSets, cronJobs, jobs, replicaSets}
	i := slices.IndexFunc(at, func(x Resource) bool { return x.Group == target.Group && x.Resource == target.Resource })
	if i < 0 {
		return nil, refuse(target, "%s works on pods and workloads", gitopsSuspend)
	}
	o, err := readObject(ctx, g.Deps, at[i], target)
	if errors.Is(err, ErrGone) && len(all) > 0 {
		return all, nil
	}
	return append(all, o), err
}

// suspend is what to change of a keeper, and a note about it.
func (g gitops) suspend(ctx context.Context, k keeper) (*found, string, error) {
	if k.Name == "" {
		return nil, fmt.Sprintf("managed by %s, and nothing says by which of its objects", k.Tool), nil
	}
	o, err := g.Cluster.Get(ctx, k.Group, k.Version, k.Resource.Resource, k.Namespace, k.Name)
	if errors.Is(err, kube.ErrNotFound) {
		return nil, fmt.Sprintf("%s, which is said to manage it, is not there", k), nil
	}
	if err != nil {
		return nil, "", err
	}
	note := fmt.Sprintf("all that %s manages stays as it is meanwhile", k)
	if owner := o.GetOwnerReferences(); len(owner) > 0 {
		note += fmt.Sprintf("; %s %s made it, and may change it back", owner[0].Kind, owner[0].Name)
	}
	if k.Resource == applications {
		return &found{k.Resource, o, []field{{Path: []string{"spec", "syncPolicy", "automated"}, Value: nil}}}, note + "; a person can still sync it by hand", nil
	}
	return &found{k.Resource, o, []field{{Path: []string{"spec", "suspend"}, Value: true}}}, note, nil
}
