package enrich

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// What enrichment says about itself, in the tags of an event.
const (
	// TagConflict: the source and the index say different things of the same
	// object; what the source said stands.
	TagConflict = "firebreak:enrichment-conflict"
	// TagMissing: the pod is not known to the index, or the index has not
	// seen the cluster yet.
	TagMissing = "firebreak:enrichment-missing"
	// TagByName: the object's UID was found by its name and the event's time.
	TagByName = "firebreak:uid-by-name"
	// TagGone: the pod was gone when the event came in.
	TagGone = "firebreak:pod-gone"
	// TagElsewhere: the request's token is bound to one pod and came from the
	// address of another.
	TagElsewhere = "firebreak:token-elsewhere"
)

func tag(e *event.Event, name string) {
	if !slices.Contains(e.Tags, name) {
		e.Tags = append(slices.Clip(e.Tags), name)
	}
}

// untag takes a tag away that waiting has made untrue.
func untag(e *event.Event, name string) {
	if i := slices.Index(e.Tags, name); i >= 0 {
		e.Tags = slices.Concat(e.Tags[:i], e.Tags[i+1:])
	}
}
