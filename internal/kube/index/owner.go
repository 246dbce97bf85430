package index

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// owners knows of each ReplicaSet and Job what stands above it. Those that are
// gone stay as long as their pods do. It does no locking.
type owners struct {
	tops map[string]event.Workload // by UID; the zero value: nothing
	gone []goneOwner
	keep time.Duration
	most int
}

type goneOwner struct {
	uid string
	at  time.Time
}

func newOwners(keep time.Duration, most int) *owners {
	return &owners{tops: map[string]event.Workload{}, keep: keep, most: most}
}

func (o *owners) put(m metav1.Object) { o.tops[text(string(m.GetUID()))] = ownerOf(m) }

func (o *owners) remove(uid string, now time.Time) {
	if _, ok := o.tops[uid]; !ok {
		return
	}
	o.gone = append(o.gone, goneOwner{uid, now})
	o.prune(now)
}

func (o *owners) prune(now time.Time) {
	n := 0
	for n < len(o.gone) && (len(o.gone)-n > o.most || now.Sub(o.gone[n].at) > o.keep) {
		delete(o.tops, o.gone[n].uid)
		n++
	}
	o.gone = o.gone[n:]
}

// replace is a new list of all of one kind; the others of that kind are gone.
func (o *owners) replace(all []metav1.Object, known map[string]bool, now time.Time) {
	listed := make(map[string]bool, len(all))
	for _, m := range all {
		listed[string(m.GetUID())] = true
		o.put(m)
	}
	for uid := range known {
		if !listed[uid] {
			o.remove(uid, now)
		}
	}
}

// above is the workload that a controller belongs to: the Deployment of a
// ReplicaSet, the CronJob of a Job, else the controller itself. It is not known
// while the ReplicaSet or Job is not.
func (o *owners) above(w event.Workload) (top event.Workload, known bool) {
	if w.Kind != "ReplicaSet" && w.Kind != "Job" {
		return w, true
	}
	top, known = o.tops[w.UID]
	if known && top.UID == "" {
		top = w
	}
	return top, known
}
