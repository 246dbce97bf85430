package action

import (
	"context"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const podDelete = "pod.delete"

func init() {
	register(Kind{
		Name: podDelete,
		Doc: "Deletes a pod, whatever PodDisruptionBudgets say: pod.evict asks them. Its controller makes another, of the same image. " +
			"Put a step before it that keeps evidence.",
		Class:    Effect,
		OptIn:    true,
		Budget:   "pods",
		Destroys: true,
		Targets:  []string{"pods"},
		Config:   func() any { return new(PodDeleteConfig) },
		Needs:    []Permission{{Resource: "pods", Verbs: []string{"get", "delete"}}},
		Admits:   []Admit{{Resource: "pods", Operation: "DELETE", Expression: "!variables.system"}},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[PodDeleteConfig](podDelete, config)
			if err != nil {
				return nil, err
			}
			return deletion{departure{d, podDelete}, c.Grace}, checkGrace(podDelete, c.Grace)
		},
	})
}

// PodDeleteConfig are the parameters of pod.delete.
type PodDeleteConfig struct {
	// Grace is how many seconds the pod has to stop; without it, as many as it
	// asks for itself. 0 takes it out of the API at once, also when its kubelet
	// does not answer: its containers may run on then.
	Grace *int64 `yaml:"grace" json:"grace,omitempty"`
}

type deletion struct {
	departure
	grace *int64
}

// Plan lists the delete.
func (d deletion) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pod, p, err := d.plan(ctx, r, "delete")
	if err != nil {
		return p, err
	}
	w := patchOf("pods", &pod.ObjectMeta)
	w.Verb = "delete"
	if d.grace != nil {
		w.Body, err = encode(object{"gracePeriodSeconds": *d.grace})
	}
	p.Writes = []event.Write{w}
	return p, err
}

// Do sends the delete.
func (d deletion) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := d.check(r, p, "delete", ""); err != nil {
		return event.Receipt{}, err
	}
	_, _, err := d.Cluster.Apply(ctx, p.Writes[0], kube.ApplyOptions{})
	return d.done(ctx, r, p, err)
}
