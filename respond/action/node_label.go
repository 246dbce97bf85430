package action

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const nodeLabel = "node.label"

func init() {
	register(Kind{
		Name: nodeLabel,
		Doc: "Sets labels on a node, for what selects nodes by them. " +
			"The end of the hold puts back what was there, where the value is still Firebreak's.",
		Class:      Effect,
		Reversible: true,
		Targets:    []string{nodes.Resource},
		Fields:     []string{"/metadata/labels"},
		Config:     func() any { return new(NodeLabelConfig) },
		Example:    func() any { return &NodeLabelConfig{Labels: map[string]string{"suspect": "yes"}} },
		Check:      func(config any) error { return checked(nodeLabel, config, NodeLabelConfig.check) },
		Needs:      []Permission{{Resource: nodes.Resource, Verbs: []string{"get", "list", "patch"}}},
		Admits:     []Admit{{Resource: nodes.Resource, Operation: "UPDATE", Expression: admitNode(admitNodeLabels)}},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[NodeLabelConfig](nodeLabel, config)
			if err != nil {
				return nil, err
			}
			return fields{Deps: d, action: nodeLabel, at: []Resource{nodes}, want: labelFields(maps.Clone(c.Labels))}, c.check()
		},
	})
}

// NodeLabelConfig are the parameters of node.label.
type NodeLabelConfig struct {
	// Labels are the keys and values to set. Keys of Firebreak's own prefix and
	// those that the cluster itself goes by (kubernetes.io, k8s.io) are refused.
	Labels map[string]string `yaml:"labels,required" json:"labels"`
}

// PolicyKeys are the keys that an admission policy has to let through.
func (c *NodeLabelConfig) PolicyKeys() (labels, annotations []string) {
	return slices.Collect(maps.Keys(c.Labels)), nil
}

func (c NodeLabelConfig) check() error {
	err := LabelConfig(c).check()
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		if err == nil {
			err = clusterKey(k)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", nodeLabel, err)
	}
	return nil
}

// labelFields are the fields of labels.
func labelFields(labels map[string]string) func(context.Context, Request, *unstructured.Unstructured) ([]field, string, []string, error) {
	return func(_ context.Context, r Request, _ *unstructured.Unstructured) ([]field, string, []string, error) {
		var list []field
		keys := slices.Sorted(maps.Keys(labels))
		for _, k := range keys {
			list = append(list, field{Path: []string{"metadata", "labels", k}, Value: labels[k]})
		}
		return list, fmt.Sprintf("label %s: set %s", r.Target, strings.Join(keys, ", ")), nil, nil
	}
}
