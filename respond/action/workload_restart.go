package action

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

const workloadRestart = "workload.restart"

// RestartKey is an annotation of a workload's pod template: another value is
// another template, so that all pods are replaced. It names the step, so that a
// restart that is done again restarts nothing.
const RestartKey = event.AnnotationPrefix + "restart"

func init() {
	at := []Resource{deployments, statefulSets, daemonSets}
	register(Kind{
		Name: workloadRestart,
		Doc: "Replaces all pods of a Deployment, StatefulSet or DaemonSet by new ones, by its own strategy of rolling out. " +
			"What was in their memory and own files is gone; there is no way back.",
		Class:    Effect,
		OptIn:    true,
		Destroys: true,
		Targets:  names(at),
		Config:   func() any { return new(RestartConfig) },
		Needs:    needs(at, "get", "patch"),
		Admits: admits(at, "UPDATE", func(x Resource) string {
			const notes = "spec.template.metadata.annotations"
			return admitSpec(append(specParts(x, "template"), "spec.template.spec", "spec.template.metadata.labels")...) +
				" && has(object." + notes + ") && object." + notes + ".all(k, k == '" + RestartKey + "' || has(oldObject." + notes + ") && k in oldObject." + notes +
				" && oldObject." + notes + "[k] == object." + notes + "[k])" +
				" && (!has(oldObject." + notes + ") || oldObject." + notes + ".all(k, k in object." + notes + "))"
		}),
		New: func(d Deps, config any) (Action, error) {
			_, err := params[RestartConfig](workloadRestart, config)
			return once{Deps: d, action: workloadRestart, list: restart{d, at}.list, landed: restarted}, err
		},
	})
}

// RestartConfig are the parameters of workload.restart: none.
type RestartConfig struct{}

type restart struct {
	Deps
	at []Resource
}

func restartPath() []string {
	return []string{"spec", "template", "metadata", "annotations", RestartKey}
}

func restarted(r Request, o *unstructured.Unstructured) bool {
	v, _ := valueAt(o.Object, restartPath())
	return v == OwnName(r.Key, "")
}

func (a restart) list(ctx context.Context, r Request) ([]event.Write, []event.Ref, string, []string, error) {
	summary := fmt.Sprintf("restart %s", r.Target)
	o, x, err := fields{Deps: a.Deps, action: workloadRestart, at: a.at}.read(ctx, r.Target)
	if err != nil {
		return nil, nil, summary, nil, err
	}
	patch := object{}
	setAt(patch, restartPath(), OwnName(r.Key, ""))
	w := x.on("patch", o)
	if w.Body, err = encode(patch); err != nil {
		return nil, nil, summary, nil, err
	}
	notes := []string{"its pods are replaced one after another, by its own strategy: what they hold in memory and in their own files is lost"}
	if n, found := numberAt(o.Object, "spec", "replicas"); found && n == 0 {
		notes = []string{"it is scaled to 0: it has no pods to replace, and those that it makes later are new ones"}
	}
	if paused, _, _ := unstructured.NestedBool(o.Object, "spec", "paused"); paused {
		notes = append(notes, "its rollouts are paused: nothing is replaced until they go on")
	}
	if kind, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type"); kind == "OnDelete" {
		notes = append(notes, "its update strategy is OnDelete: a pod is replaced only when somebody deletes it")
	}
	return []event.Write{w}, nil, summary, notes, nil
}
