package action

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const nodeTaint = "node.taint"

func init() {
	register(Kind{
		Name: nodeTaint,
		Doc: "Taints a node: pods that don't tolerate it are not put there, and with NoExecute those that run there are deleted. " +
			"The end of the hold takes the taint off, unless somebody else had set it.",
		Class:      Effect,
		Reversible: true,
		Budget:     "nodes",
		Targets:    []string{nodes.Resource},
		Fields:     []string{field{Path: nodeTaints}.id()},
		Config:     func() any { t := newTaint(); return &t },
		Check:      func(config any) error { return checked(nodeTaint, config, TaintConfig.check) },
		Needs:      []Permission{{Resource: nodes.Resource, Verbs: []string{"get", "list", "patch"}}},
		Admits:     []Admit{{Resource: nodes.Resource, Operation: "UPDATE", Expression: admitNode(kube.SameLabels+" && "+admitTaints, "taints")}},
		New: func(d Deps, config any) (Action, error) {
			if config == nil {
				t := newTaint()
				config = &t
			}
			c, err := params[TaintConfig](nodeTaint, config)
			if err != nil {
				return nil, err
			}
			return fields{Deps: d, action: nodeTaint, at: []Resource{nodes}, want: taintFields(*c)}, c.check()
		},
	})
}

// TaintConfig are the parameters of node.taint.
type TaintConfig struct {
	// Key is the taint's. Keys that the cluster itself goes by (kubernetes.io,
	// k8s.io) are refused.
	Key string `yaml:"key" json:"key"`
	// Value is the taint's.
	Value string `yaml:"value" json:"value,omitempty"`
	// Effect is NoSchedule, PreferNoSchedule or NoExecute. NoExecute deletes
	// what runs there at once, whatever disruption budgets say.
	Effect string `yaml:"effect" json:"effect"`
}

// taintKey is the key where the config says none.
const taintKey = event.AnnotationPrefix + "suspect"

func newTaint() TaintConfig {
	return TaintConfig{Key: taintKey, Effect: string(corev1.TaintEffectNoSchedule)}
}

// PolicyKeys are the keys that an admission policy has to let through.
func (c *TaintConfig) PolicyKeys() (labels, annotations []string) {
	if strings.HasPrefix(c.Key, event.AnnotationPrefix) {
		return nil, nil
	}
	return []string{c.Key}, nil
}

func (c TaintConfig) check() error {
	err := checkLabel(c.Key, c.Value)
	if err == nil {
		err = clusterKey(c.Key)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", nodeTaint, err)
	}
	switch corev1.TaintEffect(c.Effect) {
	case corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
		return nil
	}
	return fmt.Errorf("%s: effect %.40q is none of NoSchedule, PreferNoSchedule, NoExecute", nodeTaint, c.Effect)
}

// element is the taint as it stands in the list.
func (c TaintConfig) element() object {
	t := object{"key": c.Key, "effect": c.Effect}
	if c.Value != "" {
		t["value"] = c.Value
	}
	return t
}

func taintFields(c TaintConfig) func(context.Context, Request, *unstructured.Unstructured) ([]field, string, []string, error) {
	return func(_ context.Context, r Request, o *unstructured.Unstructured) ([]field, string, []string, error) {
		if err := c.alone(r.Target, o); err != nil {
			return nil, "", nil, err
		}
		var notes []string
		if c.Effect == string(corev1.TaintEffectNoExecute) {
			notes = append(notes, "pods that don't tolerate it are deleted at once, whatever disruption budgets say: evidence in them is lost")
		} else {
			notes = append(notes, "pods that run on the node go on running")
		}
		return []field{{Path: nodeTaints, Op: fieldAdd, Value: c.element()}}, fmt.Sprintf("taint %s with %s=%s:%s", r.Target, c.Key, c.Value, c.Effect), notes, nil
	}
}

// alone refuses a node that has a taint of this key and effect and of another
// value: the API server takes only one.
func (c TaintConfig) alone(target event.Ref, o *unstructured.Unstructured) error {
	node, err := toNode(o)
	if err != nil {
		return err
	}
	for _, t := range node.Spec.Taints {
		if t.Key == c.Key && string(t.Effect) == c.Effect && t.Value != c.Value {
			return refuse(target, "it has taint %s:%s of value %q already", t.Key, t.Effect, t.Value)
		}
	}
	return nil
}
