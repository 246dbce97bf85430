package incident

import (
	"fmt"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Bounds of an incident.
const (
	// Window is how long after its last finding an incident takes
	// more in, and how long it must be quiet until it is resolved by itself.
	Window      = time.Hour
	maxFindings = 256
	// maxLater is how many of the findings beyond that are known again. It is more
	// than are taken in between two times that the position is saved.
	maxLater = 2048
	maxRuns  = 32
	maxKeys  = 64
	// maxKey is how long a key may be; a longer one is named by its hash.
	maxKey = 512
)

// Group says to which incident a finding belongs: the oldest open one that
// shares its pod, workload, actor, address or node, in that order, or else a
// new one that is named after the finding. One that is contained takes findings
// as long as it is. It is pure. A finding that an incident has already leaves
// it as it is (changed is false).
func Group(open []event.Incident, f event.Finding) (incident event.Incident, changed bool) {
	return GroupInto(open, f, event.ImportanceNormal)
}

// GroupInto is [Group] for a finding whose subject is of some importance.
func GroupInto(open []event.Incident, f event.Finding, importance event.Importance) (incident event.Incident, changed bool) {
	for _, in := range open {
		if has(in, f.ID) {
			return in, false
		}
	}
	for _, key := range keys(f) {
		for _, in := range open {
			if takes(in, f) && slices.Contains(in.Keys, key) {
				return link(join(in, f, importance), f, open), true
			}
		}
	}
	in := event.Incident{ID: f.ID, State: event.IncidentOpen, Subject: f.Subject, Created: f.Received}
	in.Subject.Labels = nil
	return link(join(in, f, importance), f, open), true
}

// has says whether a finding is one of an incident's.
func has(in event.Incident, finding string) bool {
	return slices.Contains(in.Findings, finding) || len(in.Later) > 0 && slices.Contains(in.Later, beginning(finding))
}

// beginning is as much of an id as is kept of a finding beyond [maxFindings].
func beginning(id string) string { return id[:min(len(id), 16)] }

// link notes the other incidents that a finding could have joined: it joins one
// of them alone, and who looks at that should see the others.
func link(in event.Incident, f event.Finding, open []event.Incident) event.Incident {
	shared := keys(f)
	for _, o := range open {
		if o.ID != in.ID && takes(o, f) && slices.ContainsFunc(shared, func(k string) bool { return slices.Contains(o.Keys, k) }) {
			in.Linked = add(in.Linked, o.ID)
		}
	}
	return in
}

func takes(in event.Incident, f event.Finding) bool {
	switch in.State {
	case event.IncidentContained:
		return true
	case event.IncidentOpen:
		return f.Received.Sub(in.Updated) <= Window
	}
	return false
}

func join(in event.Incident, f event.Finding, importance event.Importance) event.Incident {
	in.Count++
	if len(in.Findings) < maxFindings {
		in.Findings = append(slices.Clone(in.Findings), f.ID)
	} else {
		in.Later = append(slices.Clone(in.Later[max(len(in.Later)+1-maxLater, 0):]), beginning(f.ID))
	}
	in.Rules = add(in.Rules, f.Rule+f.Model)
	in.Subjects = subjects(in.Subjects, f.Subject)
	in.Keys = slices.Clone(in.Keys)
	for _, k := range keys(f) {
		in.Keys = add(in.Keys, k)
	}
	if f.Received.After(in.Updated) {
		in.Updated = f.Received
	}
	in = assess(weigh(in, f, importance))
	return remember(in, event.Moment{
		Time: f.Received, What: event.MomentFinding, ID: f.ID,
		Text: shorten(fmt.Sprintf("%s (%s) on %s", f.Rule+f.Model, f.Severity, f.Subject)),
	})
}

func add(list []string, s string) []string {
	if s == "" || len(list) >= maxKeys || slices.Contains(list, s) {
		return list
	}
	return append(slices.Clone(list), s)
}

// subjects adds an object that is not among them yet. One without a UID is the
// same as one of its name with a UID.
func subjects(all []event.Ref, s event.Ref) []event.Ref {
	same := func(o event.Ref) bool {
		return o.Group == s.Group && o.Resource == s.Resource && o.Namespace == s.Namespace && o.Name == s.Name && (s.UID == "" || o.UID == s.UID)
	}
	if s.Name == "" || len(all) >= event.MaxSubjects || slices.ContainsFunc(all, same) {
		return all
	}
	s.Labels = nil // they are the event's word, and large
	return append(slices.Clone(all), s)
}
