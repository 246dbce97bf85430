package index

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

// reportKey names what a report is of: a container of a pod, or of the
// controller that makes them.
type reportKey struct{ namespace, kind, name, container string }

// report is what is kept of a VulnerabilityReport.
type report struct {
	name, uid string
	key       reportKey
	// digest is that of the image that was scanned, if it says.
	digest string
	counts event.Vulnerabilities
}

// reports holds the reports by what they are of. It does no locking.
type reports struct {
	byKey map[reportKey]*report
	byUID map[string]*report
}

// maxReports bounds how many are kept; the others are left out and counted.
const maxReports = 100_000

func newReports() *reports { return &reports{map[reportKey]*report{}, map[string]*report{}} }

func (t *reports) put(r *report) {
	if r == nil {
		return
	}
	t.remove(r.uid)
	if len(t.byUID) >= maxReports {
		return
	}
	t.byUID[r.uid], t.byKey[r.key] = r, r
}

func (t *reports) remove(uid string) {
	r := t.byUID[uid]
	if r == nil {
		return
	}
	delete(t.byUID, uid)
	if t.byKey[r.key] == r {
		delete(t.byKey, r.key)
	}
}

func (t *reports) replace(all []*report) {
	*t = *newReports()
	for _, r := range all {
		t.put(r)
	}
}

// find looks for the report of a pod's container: one of the pod's controller,
// of the workload above it, or of the pod. A report of another image than the
// one that runs is none.
func (t *reports) find(p *Pod, top event.Workload, c *Container) *report {
	if len(t.byUID) == 0 {
		return nil
	}
	for _, w := range []event.Workload{p.Owner, top, {Kind: "Pod", Name: p.Name}} {
		r := t.byKey[reportKey{p.Namespace, w.Kind, w.Name, c.Name}]
		if r != nil && (r.digest == "" || c.Digest == "" || r.digest == c.Digest) {
			return r
		}
	}
	return nil
}

// The labels by which the Trivy operator says what a report is of
// (https://aquasecurity.github.io/trivy-operator/latest/docs/crds/vulnerability-report/).
// Long names stand in the owner reference only.
const (
	labelKind      = "trivy-operator.resource.kind"
	labelName      = "trivy-operator.resource.name"
	labelContainer = "trivy-operator.container.name"
)

// reportOf keeps the numbers of a report; nil when it does not say what it is
// of.
func reportOf(u *unstructured.Unstructured) *report {
	labels := u.GetLabels()
	r := &report{name: text(u.GetName()), uid: text(string(u.GetUID()))}
	r.key = reportKey{intern(u.GetNamespace()), intern(labels[labelKind]), intern(labels[labelName]), intern(labels[labelContainer])}
	if owner := metav1.GetControllerOf(u); owner != nil {
		r.key.kind, r.key.name = intern(owner.Kind), intern(owner.Name)
	}
	if r.uid == "" || r.key.kind == "" || r.key.name == "" || r.key.container == "" {
		return nil
	}
	digest, _, _ := unstructured.NestedString(u.Object, "report", "artifact", "digest")
	r.digest = intern(digest)
	count := func(name string) int {
		n, _, _ := unstructured.NestedInt64(u.Object, "report", "summary", name)
		return int(min(max(n, 0), 1<<20))
	}
	r.counts = event.Vulnerabilities{
		Critical: count("criticalCount"), High: count("highCount"), Medium: count("mediumCount"),
		Low: count("lowCount"), Unknown: count("unknownCount"), Score: worst(u),
	}
	return r
}

// worst is the highest score in the list of vulnerabilities.
func worst(u *unstructured.Unstructured) float64 {
	body, _ := u.Object["report"].(map[string]any)
	list, _ := body["vulnerabilities"].([]any)
	score := 0.0
	for _, v := range list {
		m, _ := v.(map[string]any)
		switch n := m["score"].(type) {
		case float64:
			score = max(score, n)
		case int64:
			score = max(score, float64(n))
		}
	}
	return min(score, 10)
}
