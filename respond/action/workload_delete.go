package action

import (
	"context"
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

const workloadDelete = "workload.delete"

// What becomes of the pods of a workload that is deleted.
const (
	podsDelete = "delete"
	podsKeep   = "keep"
)

func init() {
	at := []Resource{deployments, statefulSets, daemonSets, replicaSets, jobs, cronJobs}
	register(Kind{
		Name: workloadDelete,
		Doc: "Deletes a workload: with its pods, or (pods: keep) so that they run on without anybody who replaces them, as evidence. " +
			"There is no way back; who applies manifests may make it again.",
		Class:    Effect,
		OptIn:    true,
		Destroys: true,
		Targets:  names(at),
		Config:   func() any { return new(DeleteConfig) },
		Check:    func(config any) error { return checked(workloadDelete, config, DeleteConfig.check) },
		Needs:    needs(at, "get", "delete"),
		Admits: admits(at, "DELETE", func(Resource) string {
			return "has(oldObject.metadata.name) && oldObject.metadata.name != ''"
		}),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[DeleteConfig](workloadDelete, config)
			if err != nil {
				return nil, err
			}
			return once{Deps: d, action: workloadDelete, list: remover{d, at, *c}.list}, c.check()
		},
	})
}

// DeleteConfig are the parameters of workload.delete.
type DeleteConfig struct {
	// Pods says what becomes of its pods: delete (as when it is empty) or keep.
	Pods string `yaml:"pods,filled" json:"pods,omitempty"`
}

func (c DeleteConfig) check() error {
	if !slices.Contains([]string{"", podsDelete, podsKeep}, c.Pods) {
		return fmt.Errorf("%s: pods is %q: delete or keep", workloadDelete, c.Pods)
	}
	return nil
}

type remover struct {
	Deps
	at []Resource
	DeleteConfig
}

func (a remover) list(ctx context.Context, r Request) ([]event.Write, []event.Ref, string, []string, error) {
	summary, policy := fmt.Sprintf("delete %s with its pods", r.Target), "Background"
	notes := []string{"what its pods hold in memory and in their own files is lost"}
	if a.Pods == podsKeep {
		summary, policy = fmt.Sprintf("delete %s and keep its pods", r.Target), "Orphan"
		notes = []string{"its pods run on, and nobody replaces them or takes them away"}
	}
	o, x, err := fields{Deps: a.Deps, action: workloadDelete, at: a.at}.read(ctx, r.Target)
	if err != nil {
		return nil, nil, summary, nil, err
	}
	for _, owner := range o.GetOwnerReferences() {
		if owner.Controller != nil && *owner.Controller {
			notes = append(notes, fmt.Sprintf("%s %s made it, and may make it again", owner.Kind, owner.Name))
		}
	}
	if n, found := numberAt(o.Object, "status", "replicas"); found {
		notes = append(notes, fmt.Sprintf("it has %d pods", n))
	}
	w := x.on("delete", o)
	w.Body, err = encode(object{"propagationPolicy": policy})
	return []event.Write{w}, nil, summary, notes, err
}
