package guard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

func init() {
	register(Kind{
		Name: "match",
		Doc:  "The target must still be what was found: the image of its container, the labels that the event showed, and the playbook's condition are held against the object that is about to be written. What no longer matches asks.",
		New:  func(o Options) Guard { return match{o.Cluster} },
	})
}

// held is the label of a pod that Firebreak holds, whose own labels may have
// been taken off.
const held = event.AnnotationPrefix + "hold"

// gone is said of a target that is no more, as of one that another took the name
// of: no write can be for it, and what the plan does besides is not kept waiting.
const gone = "it is gone: no write of the plan can be for it"

type match struct{ cluster Cluster }

// Judge goes by the very object that the plan was made of, which is the one
// that the write is conditional on: what changes after that is refused by the
// API server.
func (g match) Judge(ctx context.Context, c Check) (event.Decision, string) {
	t := c.Plan.Target
	if !c.acts() || t.UID != c.Run.Target.UID || !t.IsPod() {
		return event.Pass, "nothing to be held against"
	}
	if c.Step < len(c.Run.Steps) && c.Run.Steps[c.Step].State == event.StepIntent {
		// The effect may be there already, and then the pod is another than the
		// plan's; if not, the write is conditional on the pod that was looked at.
		return event.Pass, "held against when its intent was written"
	}
	pod, err := g.cluster.Pod(ctx, t.Namespace, t.Name)
	switch {
	case errors.Is(err, kube.ErrNotFound):
		return event.Pass, gone
	case err != nil:
		return event.Wait, fmt.Sprintf("the pod can't be read: %v", err)
	case string(pod.UID) != t.UID:
		return event.Pass, "it is another pod, which no write of the plan is for"
	case pod.Labels[held] != "":
		return event.Pass, "it is held already"
	}
	for _, w := range c.Plan.Writes {
		if w.Resource == "pods" && w.Name == pod.Name && w.ResourceVersion != "" && w.ResourceVersion != pod.ResourceVersion {
			return event.Wait, "the pod changed since the plan was made"
		}
	}
	if why := changed(pod, c.Run); why != "" {
		return event.Ask, why
	}
	if c.Matches == nil {
		return event.Pass, "as it was found"
	}
	live := c.Run.Target
	live.Labels = pod.Labels
	switch ok, err := c.Matches(live); {
	case err != nil:
		return event.Ask, fmt.Sprintf("the playbook's condition can't be asked again: %v", err)
	case !ok:
		return event.Ask, "the playbook's condition is no longer met by the pod as it is now"
	}
	return event.Pass, "as it was found"
}

// changed says what is no longer as the event showed it.
func changed(pod *corev1.Pod, run event.Run) string {
	if image, ok := imageOf(pod, run.Target.Container); ok && run.Target.Image != "" && !sameImage(image, run.Target.Image) {
		return fmt.Sprintf("its image is %.200q now, and was %.200q", image, run.Target.Image)
	}
	shown := run.Finding.Subject.Labels
	for _, key := range slices.Sorted(maps.Keys(shown)) {
		if moving(key) {
			continue
		}
		if now, ok := pod.Labels[key]; !ok || now != shown[key] {
			return fmt.Sprintf("its label %.100q is %.100q now, and was %.100q", key, now, shown[key])
		}
	}
	return ""
}

// moving says whether a label is one that controllers set anew by themselves
// when a workload is rolled out or a pod is numbered: it says nothing of what
// the pod is. See
// https://kubernetes.io/docs/reference/labels-annotations-taints/.
func moving(key string) bool {
	switch key {
	case "pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name",
		"apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index":
		return true
	}
	return false
}

// imageOf is the image of a pod's container; an unnamed one is the only one.
func imageOf(pod *corev1.Pod, container string) (string, bool) {
	if container == "" && len(pod.Spec.Containers) == 1 {
		return pod.Spec.Containers[0].Image, true
	}
	for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		if c.Name == container {
			return c.Image, true
		}
	}
	return "", false
}

// sameImage compares as far as both say something: sensors name an image with
// its registry and without, with its tag and without.
func sameImage(a, b string) bool {
	repoA, tagA := cutImage(a)
	repoB, tagB := cutImage(b)
	if tagA != "" && tagB != "" && tagA != tagB {
		return false
	}
	if len(repoA) < len(repoB) {
		repoA, repoB = repoB, repoA
	}
	return repoA == repoB || strings.HasSuffix(repoA, "/"+repoB)
}

// cutImage gives the repository of an image, and its tag if it has one.
func cutImage(image string) (repository, tag string) {
	image, _, _ = strings.Cut(image, "@")
	if at := strings.LastIndexByte(image, ':'); at > strings.LastIndexByte(image, '/') {
		return image[:at], image[at+1:]
	}
	return image, ""
}
