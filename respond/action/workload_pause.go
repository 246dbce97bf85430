package action

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const workloadPause = "workload.pause"

func init() {
	at := []Resource{deployments}
	register(Kind{
		Name: workloadPause,
		Doc: "Pauses the rollouts of a Deployment: a change of its template makes no pods until the hold ends. " +
			"Pods that are there stay, and pods that go are replaced, by the template before.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Targets:    names(at),
		Holds:      at,
		Fields:     []string{"/spec/paused"},
		Config:     func() any { return new(PauseConfig) },
		Needs:      needs(at, "get", "list", "patch"),
		Admits:     admits(at, "UPDATE", admitField("paused")),
		New: func(d Deps, config any) (Action, error) {
			_, err := params[PauseConfig](workloadPause, config)
			return fields{Deps: d, action: workloadPause, at: at, want: pause}, err
		},
	})
}

// PauseConfig are the parameters of workload.pause: none.
type PauseConfig struct{}

func pause(_ context.Context, r Request, _ *unstructured.Unstructured) ([]field, string, []string, error) {
	return []field{{Path: []string{"spec", "paused"}, Value: true}}, fmt.Sprintf("pause the rollouts of %s", r.Target),
		[]string{"pods that are there go on running, and scaling it still works"}, nil
}
