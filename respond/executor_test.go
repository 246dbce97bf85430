package respond

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// old is a cluster as it was.
type old struct {
	*cluster
	pod *corev1.Pod
}

func (o old) Pod(context.Context, string, string) (*corev1.Pod, error) { return o.pod.DeepCopy(), nil }

// TestPlansOfOldPods: a plan may be made of a pod that was read a moment ago,
// since its write is conditional on that; one that writes nothing is made of the
// pod as it is.
func TestPlansOfOldPods(t *testing.T) {
	r := newRig(t, newCluster("a"), actBook)
	w := r.idle(0)
	rec := r.begin(0, finding("shell", "a", 1))
	plan := func() Planned {
		return w.executor.Plan(t.Context(), r.books[0], rec.Run, 0, time.Now())
	}
	now := plan()
	if now.Failure != "" || len(now.Plan.Writes) != 1 {
		t.Fatalf("the plan is %+v", now)
	}
	pod, err := r.cluster.Pod(t.Context(), "shop", "a")
	if err != nil {
		t.Fatal(err)
	}
	reads := r.cluster.reads
	w.executor.Recent = old{r.cluster, pod.DeepCopy()}
	if p := plan(); p.Failure != "" || p.Digest != now.Digest || p.Plan.Writes[0].ResourceVersion != pod.ResourceVersion {
		t.Errorf("the plan of the old pod is %+v", p)
	}
	if n := r.cluster.reads - reads; n > 3 { // the guards' own
		t.Errorf("the pod was read %d times", n)
	}
	// The old pod has what the plan would give it, the pod has it no more.
	done := pod.DeepCopy()
	done.Labels["suspect"] = "yes"
	w.executor.Recent = old{r.cluster, done}
	if p := plan(); p.Failure != "" || len(p.Plan.Writes) != 1 || p.Plan.Writes[0].ResourceVersion != pod.ResourceVersion {
		t.Errorf("the plan is %+v", p)
	}
}
