package action

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const workloadSuspend = "workload.suspend"

func init() {
	at := []Resource{cronJobs, jobs}
	register(Kind{
		Name: workloadSuspend,
		Doc: "Suspends a CronJob, so that it makes no more Jobs, or a Job, whose running pods are deleted; " +
			"when the hold ends it goes on, a Job with new pods.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Destroys:   true,
		Targets:    names(at),
		Holds:      at,
		Fields:     []string{"/spec/suspend"},
		Config:     func() any { return new(SuspendConfig) },
		Needs:      needs(at, "get", "list", "patch"),
		Admits:     admits(at, "UPDATE", admitField("suspend")),
		New: func(d Deps, config any) (Action, error) {
			_, err := params[SuspendConfig](workloadSuspend, config)
			return fields{Deps: d, action: workloadSuspend, at: at, want: suspend}, err
		},
	})
}

// SuspendConfig are the parameters of workload.suspend: none.
type SuspendConfig struct{}

func suspend(_ context.Context, r Request, o *unstructured.Unstructured) ([]field, string, []string, error) {
	list, summary := []field{{Path: []string{"spec", "suspend"}, Value: true}}, fmt.Sprintf("suspend %s", r.Target)
	if how := endedAs(o); how != "" {
		// Nothing of it runs, and suspended it would stay so for nothing. One that is
		// held already is let go of at the hold's end.
		if held, _, _ := unstructured.NestedBool(o.Object, "spec", "suspend"); !held {
			return nil, summary, []string{"it has ended (" + how + "): none of its pods runs any more, and it makes no more"}, nil
		}
	}
	var notes []string
	switch active, _, _ := unstructured.NestedSlice(o.Object, "status", "active"); {
	case r.Target.Resource == cronJobs.Resource && len(active) > 0:
		notes = append(notes, fmt.Sprintf("%d Jobs that it made run on", len(active)))
	case r.Target.Resource == jobs.Resource:
		n, _ := numberAt(o.Object, "status", "active")
		notes = append(notes, fmt.Sprintf("its %d active pods are deleted; its time limit begins anew when it goes on", n))
	}
	return list, summary, notes, nil
}

// endedAs is the condition by which a Job has ended, Complete or Failed; empty is
// that it has not.
func endedAs(o *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		one, _ := c.(map[string]any)
		if kind := one["type"]; (kind == "Complete" || kind == "Failed") && one["status"] == "True" {
			return fmt.Sprint(kind)
		}
	}
	return ""
}
