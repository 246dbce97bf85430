package action

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/kube"
)

const nodeCordon = "node.cordon"

func init() {
	register(Kind{
		Name: nodeCordon,
		Doc: "Keeps new pods off a node; those that run there go on. " +
			"A node that somebody else cordoned stays cordoned at the end of the hold.",
		Class:      Effect,
		Reversible: true,
		Budget:     "nodes",
		Targets:    []string{nodes.Resource},
		Fields:     []string{field{Path: nodeUnschedulable}.id()},
		Config:     func() any { return new(CordonConfig) },
		Needs:      []Permission{{Resource: nodes.Resource, Verbs: []string{"get", "list", "patch"}}},
		Admits:     []Admit{{Resource: nodes.Resource, Operation: "UPDATE", Expression: admitNode(kube.SameLabels, "unschedulable")}},
		New: func(d Deps, config any) (Action, error) {
			_, err := params[CordonConfig](nodeCordon, config)
			return fields{Deps: d, action: nodeCordon, at: []Resource{nodes}, want: cordonFields, look: cordoned}, err
		},
	})
}

// CordonConfig are the parameters of node.cordon: none.
type CordonConfig struct{}

func cordonFields(_ context.Context, r Request, _ *unstructured.Unstructured) ([]field, string, []string, error) {
	return []field{{Path: nodeUnschedulable, Value: true}}, fmt.Sprintf("cordon %s", r.Target), []string{"pods that run on the node go on running"}, nil
}
