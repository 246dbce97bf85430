package action

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

// ephemeral is an action that puts a container of its own into a pod, waits
// until it has ended, and keeps what it wrote. Such a container can't be taken
// out again: it stays in the pod's list, ended.
type ephemeral struct {
	capturing
	// file is where what it wrote is kept.
	file string
	// container is what to add, without a name. target is the container whose
	// processes it sees; empty is the first.
	container corev1.EphemeralContainerCommon
	target    string
	most      int64
	summary   string
}

func ephemeralNeeds() []Permission {
	return []Permission{
		{Resource: "pods", Verbs: []string{"get"}},
		{Resource: "pods/log", Verbs: []string{"get"}},
		{Resource: "pods/ephemeralcontainers", Verbs: []string{"patch"}},
	}
}

// ephemeralAdmits lets containers of Firebreak's name be added, and nothing else
// of the pod be changed.
func ephemeralAdmits() []Admit {
	const list = "has(%[1]s.spec.ephemeralContainers) ? %[1]s.spec.ephemeralContainers : []"
	now, old := "("+fmt.Sprintf(list, "object")+")", "("+fmt.Sprintf(list, "oldObject")+")"
	return []Admit{{Resource: "pods/ephemeralcontainers", Operation: "UPDATE", Expression: "!variables.system" +
		" && " + now + ".all(c, c.name.startsWith('" + ownPrefix + "') || " + old + ".exists(o, o == c))" +
		" && " + old + ".all(o, " + now + ".exists(c, o == c))" +
		" && object.spec.containers == oldObject.spec.containers"}}
}

// containerName is that of the step's container: at most 63 bytes, and the same
// when it is done again.
func containerName(key string) string { return ownPrefix + event.HashID("container", key)[:16] }

// Plan lists one patch of the pod's ephemeral containers.
func (e ephemeral) Plan(ctx context.Context, r Request) (event.Plan, error) {
	pod, p, err := e.planned(ctx, r, e.target)
	if err != nil {
		return p, err
	}
	if err := fromTheAPI(r.Target, pod); err != nil {
		return p, err
	}
	p.Summary = fmt.Sprintf("%s of %s by container %s", e.summary, r.Target, containerName(r.Key))
	p.Notes = append(p.Notes, "the container stays in the pod's list when it has ended: it can't be taken out",
		"it runs image "+e.container.Image+", in the pod's own network and limits")
	mine := corev1.EphemeralContainer{EphemeralContainerCommon: e.container, TargetContainerName: e.target}
	mine.Name = containerName(r.Key)
	if mine.TargetContainerName == "" && len(pod.Spec.Containers) > 0 {
		mine.TargetContainerName = pod.Spec.Containers[0].Name
	}
	var list []corev1.EphemeralContainer
	for _, c := range pod.Spec.EphemeralContainers {
		if c.Name != mine.Name {
			list = append(list, c)
		}
	}
	w := patchOf("pods", &pod.ObjectMeta)
	w.Subresource = "ephemeralcontainers"
	w.Body, err = encode(object{"spec": object{"ephemeralContainers": append(list, mine)}})
	p.Writes = []event.Write{w}
	return p, err
}

// Do adds the container, waits for its end, and keeps its output.
func (e ephemeral) Do(ctx context.Context, r Request, p event.Plan) (event.Receipt, error) {
	if err := e.checkCommand(r, p, "ephemeralcontainers"); err != nil {
		return event.Receipt{}, err
	}
	store, err := e.store(r.Target)
	if err != nil {
		return event.Receipt{}, err
	}
	if o, err := store.Find(ctx, e.name(r, e.file)); !errors.Is(err, evidence.ErrNone) {
		return kept(r, p, []evidence.Object{o}), err
	}
	if err := e.add(ctx, r, p.Writes[0]); err != nil {
		return event.Receipt{}, err
	}
	ended, err := e.await(ctx, r)
	if err != nil {
		return event.Receipt{}, err
	}
	o, err := e.keep(ctx, r, e.file, e.most, func(ctx context.Context, w io.Writer) error {
		from, err := e.Cluster.Logs(ctx, r.Target.Namespace, r.Target.Name, kube.LogOptions{Container: containerName(r.Key)})
		if err != nil {
			return err
		}
		defer from.Close()
		_, err = io.Copy(w, from)
		return err
	})
	if err != nil {
		return event.Receipt{}, err
	}
	done := kept(r, p, []evidence.Object{o})
	if ended.ExitCode != 0 {
		done = changed(done, event.ResultPartial, fmt.Sprintf("the container ended with %d (%s)", ended.ExitCode, cut(ended.Reason, 64)))
	}
	return done, nil
}

// add sends the patch, unless the container is there from before a crash.
func (e ephemeral) add(ctx context.Context, r Request, w event.Write) error {
	there := func() (bool, error) {
		pod, err := readPod(ctx, e.Deps, r.Target)
		if err != nil {
			return false, err
		}
		for _, c := range pod.Spec.EphemeralContainers {
			if c.Name == containerName(r.Key) {
				return true, nil
			}
		}
		return false, nil
	}
	if ok, err := there(); ok || err != nil {
		return err
	}
	_, _, err := e.Cluster.Apply(ctx, w, kube.ApplyOptions{})
	if !lost(err) {
		return err
	}
	ok, again := there()
	if again == nil && !ok {
		again = conflict(r.Target)
	}
	return again
}

// await waits until the container has ended, as long as the step has time.
func (e ephemeral) await(ctx context.Context, r Request) (*corev1.ContainerStateTerminated, error) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		pod, err := readPod(ctx, e.Deps, r.Target)
		if err != nil {
			return nil, err
		}
		waits := "has not begun"
		for _, s := range pod.Status.EphemeralContainerStatuses {
			if s.Name != containerName(r.Key) {
				continue
			}
			if s.State.Terminated != nil {
				return s.State.Terminated, nil
			}
			if s.State.Waiting != nil {
				waits = "waits: " + cut(s.State.Waiting.Reason, 64)
			} else {
				waits = "runs"
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: container %s %s: %w", r.Target, containerName(r.Key), waits, ctx.Err())
		case <-tick.C:
		}
	}
}

// Verify looks whether the output is in the store.
func (e ephemeral) Verify(ctx context.Context, r Request, _ event.Plan, done event.Receipt) (event.Receipt, error) {
	return e.verify(ctx, r, done, []string{e.file})
}

// checkImage says what is wrong with an image's name.
func checkImage(kind, image string) error {
	if image == "" || len(image) > 512 || strings.ContainsFunc(image, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return fmt.Errorf("%s: image %q is none", kind, image)
	}
	return nil
}

// capable is a security context with one more capability than most have.
func capable(name corev1.Capability) *corev1.SecurityContext {
	return &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{name}}}
}

// checkpointed is what a kubelet answers.
type checkpointed struct {
	Items []string `json:"items"`
}

func parseCheckpoint(answer []byte) ([]string, error) {
	var c checkpointed
	if err := json.Unmarshal(answer, &c); err != nil {
		return nil, fmt.Errorf("decode the kubelet's answer: %w", err)
	}
	return c.Items, nil
}
