package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
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
		Targets:    []string{"nodes"},
		Config:     func() any { return new(CordonConfig) },
		Needs:      []Permission{{Resource: "nodes", Verbs: []string{"get", "list", "patch"}}},
		Admits:     []Admit{{Resource: "nodes", Operation: "UPDATE", Expression: admitCordon}},
		New: func(d Deps, config any) (Action, error) {
			_, err := params[CordonConfig](nodeCordon, config)
			return cordon{d}, err
		},
	})
}

// CordonConfig are the parameters of node.cordon: none.
type CordonConfig struct{}

// cordonRecord is the annotation of a node that Firebreak cordoned.
type cordonRecord struct {
	// Prior is whether the node was unschedulable before.
	Prior bool    `json:"prior"`
	Runs  Holders `json:"runs"`
}

type cordon struct{ Deps }

func parseCordon(node *corev1.Node) (rec cordonRecord, err error) {
	return parseCordonText(node.Annotations)
}

func parseCordonText(annotations map[string]string) (rec cordonRecord, err error) {
	text, ok := annotations[CordonKey]
	if !ok {
		return rec, nil
	}
	if err := json.Unmarshal([]byte(text), &rec); err != nil {
		return cordonRecord{}, fmt.Errorf("decode annotation %s: %w", CordonKey, err)
	}
	return rec, nil
}

// Plan lists one patch of the node, or none when somebody else cordoned it.
func (c cordon) Plan(ctx context.Context, r Request) (event.Plan, error) {
	node, err := readNode(ctx, c.Deps, r.Target)
	if err != nil {
		return event.Plan{}, err
	}
	rec, err := parseCordon(node)
	p := event.Plan{Action: nodeCordon, Target: r.Target, Reversible: true}
	if err != nil {
		p.Notes = append(p.Notes, "the node's cordon record can't be read and is replaced")
	}
	if len(rec.Runs) == 0 {
		rec.Prior = node.Spec.Unschedulable
		if rec.Prior {
			p.Summary = fmt.Sprintf("cordon %s: nothing to do", r.Target)
			p.Notes = offlineNotes(c.Deps, append(p.Notes, "the node is cordoned already, not by Firebreak, and stays so"))
			return p, nil
		}
	}
	if others := rec.Runs.others(r.Key); len(others) > 0 {
		p.Notes = append(p.Notes, "cordoned already by "+strings.Join(others, ", ")+"; the last one to end uncordons the node")
	}
	p.Notes = offlineNotes(c.Deps, append(p.Notes, "pods that run on the node go on running"))
	p.Summary = fmt.Sprintf("cordon %s", r.Target)
	rec.Runs = rec.Runs.with(r.Key, Holder{Until: r.Until})
	w, err := metaPatch("nodes", &node.ObjectMeta, object{HeldKey: HeldYes}, CordonKey, rec, object{"unschedulable": true})
	if err != nil {
		return p, err
	}
	p.Writes = []event.Write{w}
	p.Before, err = encode(object{"unschedulable": rec.Prior})
	return p, err
}

// Do sends the patch and reads it back.
func (c cordon) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	landed := func() (bool, error) {
		node, err := readNode(ctx, c.Deps, r.Target)
		if err != nil {
			return false, err
		}
		rec, err := parseCordon(node)
		_, mine := rec.Runs[r.Key]
		return err == nil && mine && node.Spec.Unschedulable, nil
	}
	return patchTarget(ctx, c.Deps, nodeCordon, "nodes", r, p, landed)
}

// Verify looks whether the node takes no new pods still.
func (c cordon) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	node, err := readNode(ctx, c.Deps, r.Target)
	if err != nil {
		return done, err
	}
	if !node.Spec.Unschedulable {
		return changed(done, event.ResultVoid, "somebody made the node schedulable right after"), nil
	}
	done.Result = event.ResultEnforced
	return done, nil
}

// Undo takes this step out of those that hold the node; the last one makes it
// schedulable again if it was before.
func (c cordon) Undo(ctx context.Context, r Request, done event.Receipt, _ event.AtEnd) (event.Receipt, error) {
	for range attempts {
		node, err := readNode(ctx, c.Deps, r.Target)
		if errors.Is(err, ErrGone) {
			return receipt(r, event.ResultGone), nil
		}
		if err != nil {
			return event.Receipt{}, err
		}
		rec, err := parseCordon(node)
		if err != nil {
			return event.Receipt{}, err
		}
		if _, mine := rec.Runs[r.Key]; !mine {
			err := fence(ctx, c.Cluster, r.Key, done, patchOf("nodes", &node.ObjectMeta))
			if lost(err) {
				continue
			}
			return receipt(r, event.ResultUndone), err
		}
		w, notes, err := uncordon(node, rec, r.Key)
		if err != nil {
			return event.Receipt{}, err
		}
		_, _, err = c.Cluster.Apply(ctx, w, kube.ApplyOptions{})
		if lost(err) {
			continue
		}
		return receipt(r, event.ResultUndone, notes...), err
	}
	return event.Receipt{}, conflict(r.Target)
}

// uncordon is the one write by which key stops holding the node.
func uncordon(node *corev1.Node, rec cordonRecord, key string) (event.Write, []string, error) {
	if others := rec.Runs.others(key); len(others) > 0 {
		rec.Runs = rec.Runs.without(key)
		w, err := metaPatch("nodes", &node.ObjectMeta, nil, CordonKey, rec, nil)
		return w, []string{"still cordoned by " + strings.Join(others, ", ")}, err
	}
	var spec object
	if !rec.Prior {
		spec = object{"unschedulable": nil}
	}
	labels := object{HeldKey: nil}
	if heldOtherwise(node.Annotations, CordonKey) {
		labels = nil
	}
	w, err := metaPatch("nodes", &node.ObjectMeta, labels, CordonKey, nil, spec)
	return w, nil, err
}
