package action

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const podCheckpoint = "pod.checkpoint"

func init() {
	register(Kind{
		Name: podCheckpoint,
		Doc: "Lets a pod's kubelet write a checkpoint of a container, with its memory, to the disk of the node. " +
			"The runtime has to be able to; the file stays on the node, where the receipt says.",
		Class:    Effect,
		OptIn:    true,
		Evidence: true,
		Targets:  []string{"pods"},
		Config:   func() any { return new(CheckpointConfig) },
		Needs: []Permission{
			{Resource: "pods", Verbs: []string{"get"}},
			{Resource: "nodes/proxy", Verbs: []string{"create"}, Grave: true},
		},
		Admits: []Admit{{Resource: "nodes/proxy", Operation: "CONNECT", Expression: "has(object.path) && object.path.matches('^/?checkpoint/')"}},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[CheckpointConfig](podCheckpoint, config)
			if err != nil {
				return nil, err
			}
			return checkpoint{d, *c}, nil
		},
	})
}

// CheckpointConfig are the parameters of pod.checkpoint.
type CheckpointConfig struct {
	// Container is which; empty is the first.
	Container string `yaml:"container" json:"container,omitempty"`
}

type checkpoint struct {
	Deps
	config CheckpointConfig
}

// Plan lists the request to the kubelet, see
// https://kubernetes.io/docs/reference/node/kubelet-checkpoint-api/.
func (c checkpoint) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p := event.Plan{Action: podCheckpoint, Target: r.Target}
	pod, err := readPod(ctx, c.Deps, r.Target)
	if err != nil {
		return p, err
	}
	container, node := c.config.Container, pod.Spec.NodeName
	if container == "" && len(pod.Spec.Containers) > 0 {
		container = pod.Spec.Containers[0].Name
	}
	switch {
	case !c.Offline && !hasContainer(pod, container):
		return p, refuse(r.Target, "it has no container %q", container)
	case !c.Offline && node == "":
		return p, refuse(r.Target, "it runs on no node")
	case c.Offline && node == "":
		node = "unknown"
	}
	p.Summary = fmt.Sprintf("checkpoint container %s of %s on node %s", container, r.Target, node)
	p.Notes = offlineNotes(c.Deps, []string{"the file is on the disk of node " + node + ", and holds the container's memory with its secrets"})
	p.Writes = []event.Write{{
		Verb: "create", Version: "v1", Resource: "nodes", Name: node, UID: r.Target.UID,
		Subresource: "proxy/checkpoint/" + r.Target.Namespace + "/" + r.Target.Name + "/" + container,
	}}
	return p, nil
}

// maxAnswer bounds what a kubelet answers.
const maxAnswer = 64 << 10

// Do asks the kubelet. Done again it writes another file beside the first: that
// takes nothing away.
func (c checkpoint) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	wanted, err := c.Plan(ctx, r)
	if err != nil {
		return event.Receipt{}, err
	}
	if p.Action != podCheckpoint || len(p.Writes) != 1 || p.Writes[0].Subresource != wanted.Writes[0].Subresource || p.Writes[0].Name != wanted.Writes[0].Name {
		return event.Receipt{}, refuse(r.Target, "plan is for %s of %s", p.Action, p.Target)
	}
	answer, err := c.Cluster.Call(ctx, p.Writes[0], maxAnswer)
	if errors.Is(err, kube.ErrNotFound) {
		return event.Receipt{}, refuse(r.Target, "its kubelet has no checkpoint API, or not the container")
	}
	if err != nil {
		return event.Receipt{}, err
	}
	files, err := parseCheckpoint(answer)
	if err != nil {
		return event.Receipt{}, err
	}
	done := receipt(r, event.ResultApplied, p.Notes...)
	done.Output = map[string]string{"node": p.Writes[0].Name, "objects": strconv.Itoa(len(files))}
	if len(files) > 0 {
		done.Output["object"] = cut(files[0], maxNote)
	}
	return done, nil
}

// Verify goes by what the kubelet answered: nobody else sees its disk.
func (c checkpoint) Verify(_ context.Context, _ Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	if done.Output["object"] == "" {
		return changed(done, event.ResultVoid, "the kubelet named no file"), nil
	}
	return changed(done, event.ResultUnverified, "the kubelet says that it wrote the file; nobody else sees its disk"), nil
}

// Undo gives [ErrIrreversible].
func (checkpoint) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}
