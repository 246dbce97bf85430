package action

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const workloadScale = "workload.scale"

// maxReplicas is more than any suspect needs.
const maxReplicas = 1000

func init() {
	at := []Resource{deployments, statefulSets}
	register(Kind{
		Name: workloadScale,
		Doc: "Sets the replicas of a Deployment or StatefulSet, to none unless it says otherwise; the end of the hold puts the number back. " +
			"The pods that go take their memory and files with them. Autoscalers are noticed and told of.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Destroys:   true,
		Targets:    names(at),
		Holds:      at,
		Fields:     []string{"/spec/replicas"},
		Config:     func() any { return new(ScaleConfig) },
		Check:      func(config any) error { return checked(workloadScale, config, ScaleConfig.check) },
		Needs: append(needs(at, "get", "list", "patch"),
			Permission{Group: "autoscaling", Resource: "horizontalpodautoscalers", Verbs: []string{"list"}}),
		Admits: admits(at, "UPDATE", admitField("replicas")),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[ScaleConfig](workloadScale, config)
			if err != nil {
				return nil, err
			}
			return fields{Deps: d, action: workloadScale, at: at, want: scale{d, c.Replicas}.want}, c.check()
		},
	})
}

// ScaleConfig are the parameters of workload.scale.
type ScaleConfig struct {
	// Replicas is how many there are to be.
	Replicas int `yaml:"replicas" json:"replicas"`
}

func (c ScaleConfig) check() error {
	if c.Replicas < 0 || c.Replicas > maxReplicas {
		return fmt.Errorf("%s: %d replicas: between 0 and %d", workloadScale, c.Replicas, maxReplicas)
	}
	return nil
}

type scale struct {
	Deps
	replicas int
}

func (s scale) want(ctx context.Context, r Request, o *unstructured.Unstructured) ([]field, string, []string, error) {
	summary := fmt.Sprintf("scale %s to %d", r.Target, s.replicas)
	list := []field{{Path: []string{"spec", "replicas"}, Value: s.replicas}}
	if s.Offline {
		return list, summary, nil, nil
	}
	notes, err := autoscalers(ctx, s.Cluster, r.Target, s.replicas)
	if err != nil {
		return nil, "", nil, err
	}
	if now, found := numberAt(o.Object, "spec", "replicas"); found && now > int64(s.replicas) {
		notes = append(notes, fmt.Sprintf("%d of %d pods are deleted, with what they hold in memory and in their own files", now-int64(s.replicas), now))
	}
	if r.Target.Resource == statefulSets.Resource {
		notes = append(notes, "volumes that its claims keep stay, unless its retention policy says that they go when it is scaled down")
	}
	return list, summary, notes, nil
}
