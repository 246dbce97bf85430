package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const nodeIsolate = "node.isolate"

func init() {
	register(Kind{
		Name: nodeIsolate,
		Doc: "Cordons and taints a node in one step, and by choice quarantines what runs there. " +
			"The end of the hold takes each back, unless somebody else holds it.",
		Class:      Effect,
		Reversible: true,
		Deletable:  true,
		OptIn:      true,
		Budget:     "nodes",
		Targets:    []string{nodes.Resource},
		Fields:     []string{field{Path: nodeUnschedulable}.id(), field{Path: nodeTaints}.id()},
		Config:     func() any { return newIsolate() },
		Check:      func(config any) error { return checked(nodeIsolate, config, IsolateConfig.check) },
		Helps:      tierPermissions(),
		Needs:      append(isolateNeeds(), Permission{Resource: nodes.Resource, Verbs: []string{"get", "list", "patch"}}),
		Admits: append([]Admit{{
			Resource: nodes.Resource, Operation: "UPDATE", Expression: admitNode(kube.SameLabels+" && "+admitTaints, "taints", "unschedulable"),
		}}, quarantineAdmits()...),
		New: func(d Deps, config any) (Action, error) {
			if config == nil {
				config = newIsolate()
			}
			c, err := params[IsolateConfig](nodeIsolate, config)
			if err != nil {
				return nil, err
			}
			a := isolate{config: *c, quarantine: quarantine{Deps: d, cut: !c.KeepProbes}}
			a.node = fields{Deps: d, action: nodeIsolate, at: []Resource{nodes}, want: a.fields, look: cordoned}
			return a, c.check()
		},
	})
}

// isolateNeeds are the permissions for the pods of a node; those of DaemonSets
// stay.
func isolateNeeds() []Permission {
	return slices.DeleteFunc(quarantineNeeds(), func(p Permission) bool { return p.Resource == daemonSets.Resource })
}

// IsolateConfig are the parameters of node.isolate.
type IsolateConfig struct {
	TaintConfig `yaml:",inline"`
	// Quarantine cuts off pods that run on the node, as pod.quarantine does: all
	// that Pods and Namespaces leave. Those of DaemonSets, of the host network and
	// of the cluster itself stay.
	Quarantine bool `yaml:"quarantine" json:"quarantine"`
	// Pods are labels that a pod must have to be quarantined.
	Pods map[string]string `yaml:"pods" json:"pods,omitempty"`
	// Namespaces are those whose pods are quarantined; without any, all.
	Namespaces []string `yaml:"namespaces" json:"namespaces,omitempty"`
	// AtMost is how many pods are quarantined at most: a node with more is refused.
	AtMost int `yaml:"at_most" json:"at_most"`
	// KeepProbes lets the node in to the pods that are quarantined, as
	// pod.quarantine does.
	KeepProbes bool `yaml:"keep_probes" json:"keep_probes"`
}

func newIsolate() *IsolateConfig {
	return &IsolateConfig{TaintConfig: newTaint(), AtMost: 5, KeepProbes: true}
}

const maxIsolated = 100

func (c IsolateConfig) check() error {
	if err := c.TaintConfig.check(); err != nil {
		return err
	}
	err := checkNamespaces(c.Namespaces)
	if err == nil && len(c.Pods) > 0 {
		err = LabelConfig{Labels: c.Pods}.check()
	}
	switch {
	case err != nil:
	case c.AtMost < 1 || c.AtMost > maxIsolated:
		err = fmt.Errorf("at_most %d: between 1 and %d", c.AtMost, maxIsolated)
	case !c.Quarantine && len(c.Pods)+len(c.Namespaces) > 0:
		err = errors.New("pods and namespaces are for quarantine: true")
	case !c.Quarantine && !c.KeepProbes:
		err = errors.New("keep_probes: false is for quarantine: true")
	case c.Quarantine && c.Effect == string(corev1.TaintEffectNoExecute):
		err = errors.New("NoExecute deletes the pods that quarantine is to keep")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", nodeIsolate, err)
	}
	return nil
}

// isolate is the fields of a node, and quarantines of its pods.
type isolate struct {
	quarantine
	config IsolateConfig
	node   fields
}

func (a isolate) fields(ctx context.Context, r Request, o *unstructured.Unstructured) ([]field, string, []string, error) {
	list, _, notes, err := taintFields(a.config.TaintConfig)(ctx, r, o)
	return append(list, field{Path: nodeUnschedulable, Value: true}), fmt.Sprintf("isolate %s: cordon, taint %s:%s", r.Target, a.config.Key, a.config.Effect), notes, err
}

// isolateRecord is what a receipt keeps for the undo.
type isolateRecord struct {
	Node json.RawMessage   `json:"node,omitempty"`
	Pods []json.RawMessage `json:"pods,omitempty"`
}

// Plan lists the patch of the node, and for each pod what pod.quarantine would.
func (a isolate) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p, err := a.node.Plan(ctx, r)
	if err != nil || !a.config.Quarantine {
		return p, err
	}
	rec := isolateRecord{Node: p.Before}
	pods, err := a.suspects(ctx, r)
	if err != nil {
		return p, err
	}
	for i := range pods {
		part := r
		part.Target = podRef(&pods[i])
		one, err := a.quarantine.Plan(ctx, part)
		if err != nil {
			return p, err
		}
		p.Also = append(p.Also, part.Target)
		p.Writes = append(p.Writes, one.Writes...)
		for _, n := range one.Notes {
			if !slices.Contains(p.Notes, n) {
				p.Notes = append(p.Notes, n)
			}
		}
		rec.Pods = append(rec.Pods, one.Before)
	}
	p.Summary += fmt.Sprintf(", quarantine %d pods", len(pods))
	p.Before, err = encode(rec)
	return p, err
}

// suspects are the pods of the node that are to be quarantined.
func (a isolate) suspects(ctx context.Context, r Request) ([]corev1.Pod, error) {
	pods, err := a.Cluster.PodsOn(ctx, r.Target.Name)
	if err != nil {
		return nil, err
	}
	selector := labels.SelectorFromSet(a.config.Pods)
	pods = slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool {
		if holds(&p, r.Key) {
			return false // its labels may be off by now
		}
		_, held := p.Labels[HoldKey]
		delete(p.Labels, HoldKey) // a pod that another run holds is held by both
		why := stays(&p, nil)
		if held {
			p.Labels[HoldKey] = HoldQuarantine
		}
		return why != "" || p.Spec.HostNetwork || !selector.Matches(labels.Set(p.Labels)) ||
			len(a.config.Namespaces) > 0 && !slices.Contains(a.config.Namespaces, p.Namespace)
	})
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	if len(pods) > a.config.AtMost {
		return nil, refuse(r.Target, "%d pods would be quarantined, more than at_most %d", len(pods), a.config.AtMost)
	}
	return pods, nil
}

// parts takes a plan or a receipt apart: the node's part and one for each pod.
func parts(r Request, p event.Plan) (node event.Plan, pods []event.Plan, rec isolateRecord, err error) {
	if len(p.Also) == 0 {
		return p, nil, isolateRecord{Node: p.Before}, nil
	}
	if err := json.Unmarshal(p.Before, &rec); err != nil || len(rec.Pods) != len(p.Also) {
		return node, nil, rec, refuse(r.Target, "the plan's pods are not those that it saved")
	}
	node = p
	node.Also, node.Before, node.Writes = nil, rec.Node, nil
	rest := p.Writes
	if len(rest) > 0 && rest[0].Resource == nodes.Resource {
		node.Writes, rest = rest[:1], rest[1:]
	}
	for i, t := range p.Also {
		// A pod's part ends with the patch of the pod.
		end := slices.IndexFunc(rest, func(w event.Write) bool { return w.Verb == "patch" }) + 1
		if end == 0 {
			return node, nil, rec, refuse(r.Target, "plan is not writes for each pod")
		}
		pods = append(pods, event.Plan{Action: podQuarantine, Target: t, Writes: rest[:end], Before: rec.Pods[i], Reversible: true})
		rest = rest[end:]
	}
	if len(rest) > 0 {
		return node, nil, rec, refuse(r.Target, "plan writes more than its pods' parts")
	}
	return node, pods, rec, nil
}
