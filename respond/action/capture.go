package action

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

// The bounds of what one capture keeps, in bytes.
const (
	defaultCapture = 16 << 20
	maxCapture     = 256 << 20
)

func checkMost(kind string, most int64) error {
	if most < 0 || most > maxCapture {
		return fmt.Errorf("%s: max_bytes is 1 to %d", kind, maxCapture)
	}
	return nil
}

func mostOr(most int64) int64 {
	if most == 0 {
		return defaultCapture
	}
	return most
}

// capturing is what actions have in common that keep something of a pod in the
// object store. What is there already from before a crash is not captured again.
type capturing struct {
	Deps
	action string
}

// name is what an object of a step is called: RUN/STEP/FILE.
func (c capturing) name(r Request, file string) string {
	return strings.Map(func(x rune) rune {
		if x >= 'a' && x <= 'z' || x >= 'A' && x <= 'Z' || x >= '0' && x <= '9' || strings.ContainsRune("-_./", x) {
			return x
		}
		return '_'
	}, r.Key+"/"+file)
}

// store is the object store, which an operator may not have set up.
func (c capturing) store(target event.Ref) (*evidence.Store, error) {
	if c.Offline {
		return nil, ErrOffline
	}
	if c.Evidence == nil {
		return nil, refuse(target, "there is no object store for evidence")
	}
	return c.Evidence, nil
}

// keep stores what get writes, up to most bytes, and that the pod was the same
// one afterwards: its name may be another's by then.
func (c capturing) keep(ctx context.Context, r Request, file string, most int64, get func(ctx context.Context, w io.Writer) error) (evidence.Object, error) {
	store, err := c.store(r.Target)
	if err != nil {
		return evidence.Object{}, err
	}
	body := evidence.Writing(ctx, most, func(ctx context.Context, w io.Writer) error {
		if err := get(ctx, w); err != nil {
			return err
		}
		_, err := readPod(ctx, c.Deps, r.Target)
		return err
	})
	defer body.Close()
	return store.Keep(ctx, c.name(r, file), body)
}

// run keeps what the plan's command writes. A command that ended with an error ran,
// and what it wrote is kept: code says how it ended.
func (c capturing) run(ctx context.Context, r Request, p event.Plan, file string, most int64, streams func(io.Writer) kube.Streams) (o evidence.Object, code *kube.ExitError, err error) {
	o, err = c.keep(ctx, r, file, mostOr(most), func(ctx context.Context, w io.Writer) error {
		err := c.Cluster.Command(ctx, p.Writes[0], streams(w))
		if errors.As(err, &code) {
			return nil
		}
		return err
	})
	return o, code, err
}

// kept is the receipt of what is kept.
func kept(r Request, p event.Plan, list []evidence.Object) event.Receipt {
	done := receipt(r, event.ResultApplied, p.Notes...)
	done.Output = map[string]string{"objects": strconv.Itoa(len(list))}
	for i, o := range list {
		done.Notes = append(done.Notes, "kept "+o.String())
		prefix := ""
		if i > 0 {
			prefix = strconv.Itoa(i+1) + "."
		}
		done.Output[prefix+"object"], done.Output[prefix+"where"] = o.Name, o.Where
		done.Output[prefix+"sha256"], done.Output[prefix+"bytes"] = o.SHA256, strconv.FormatInt(o.Size, 10)
	}
	done.Before, _ = encode(list) // it always has a JSON
	return done
}

// verify looks whether the objects are in the store as the receipt says.
func (c capturing) verify(ctx context.Context, r Request, done event.Receipt, files []string) (event.Receipt, error) {
	store, err := c.store(r.Target)
	if err != nil {
		return done, err
	}
	for _, file := range files {
		o, err := store.Find(ctx, c.name(r, file))
		if errors.Is(err, evidence.ErrNone) {
			return changed(done, event.ResultVoid, file+" is not in the object store"), nil
		}
		if err != nil {
			return done, err
		}
		if o.Truncated {
			done = changed(done, event.ResultPartial, file+" was cut")
		}
	}
	if done.Result == event.ResultApplied {
		done.Result = event.ResultEnforced
	}
	return done, nil
}

// planned is the pod and the beginning of the plan. A pod that does not run has
// nothing to capture, except its log.
func (c capturing) planned(ctx context.Context, r Request, container string) (*corev1.Pod, event.Plan, error) {
	p := event.Plan{Action: c.action, Target: r.Target}
	pod, err := readPod(ctx, c.Deps, r.Target)
	if err != nil {
		return nil, p, err
	}
	if container != "" && !c.Offline && !hasContainer(pod, container) {
		return nil, p, refuse(r.Target, "it has no container %s", container)
	}
	p.Notes = offlineNotes(c.Deps, nil)
	return pod, p, nil
}

func hasContainer(pod *corev1.Pod, name string) bool {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for _, c := range list {
			if c.Name == name {
				return true
			}
		}
	}
	for _, c := range pod.Spec.EphemeralContainers {
		if c.Name == name {
			return true
		}
	}
	return false
}

// command is the write that runs an argument list in a container.
func command(pod *corev1.Pod, container string, list []string) (event.Write, error) {
	w := event.Write{
		Verb: "create", Version: "v1", Resource: "pods", Subresource: "exec", Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID),
	}
	if container == "" && len(pod.Spec.Containers) > 0 {
		container = pod.Spec.Containers[0].Name
	}
	var err error
	w.Body, err = encode(kube.Command{Container: container, Command: list})
	return w, err
}

// Undo gives [ErrIrreversible]: nothing is taken back of what was kept.
func (capturing) Undo(context.Context, Request, event.Receipt, event.AtEnd) (event.Receipt, error) {
	return event.Receipt{}, ErrIrreversible
}

// checkCommand makes sure that a plan is this action's for this pod, and runs
// something in it and nothing else.
func (c capturing) checkCommand(r Request, p event.Plan, subresource string) error {
	l := departure(c)
	verb := "create"
	if subresource == "ephemeralcontainers" {
		verb = "patch"
	}
	return l.check(r, p, verb, subresource)
}
