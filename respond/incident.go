package respond

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Bounds of an incident.
const (
	// IncidentWindow is how long after its last finding an incident takes
	// more in.
	IncidentWindow = time.Hour
	maxFindings    = 1000
	maxKeys        = 64
	// maxKey is how long a key may be; a longer one is named by its hash.
	maxKey = 512
)

// Group says to which incident a finding belongs: the oldest open one that
// shares its pod, workload, actor, address or node, in that order, or else a
// new one that is named after the finding. It is pure. A finding that an
// incident has already leaves it as it is (changed is false).
func Group(open []event.Incident, f event.Finding) (incident event.Incident, changed bool) {
	for _, in := range open {
		if slices.Contains(in.Findings, f.ID) {
			return in, false
		}
	}
	for _, key := range keys(f) {
		for _, in := range open {
			if in.State == event.IncidentOpen && slices.Contains(in.Keys, key) &&
				f.Received.Sub(in.Updated) <= IncidentWindow {
				return join(in, f), true
			}
		}
	}
	return join(event.Incident{
		ID: f.ID, State: event.IncidentOpen, Subject: f.Subject, Priority: f.Severity, Created: f.Received,
	}, f), true
}

func join(in event.Incident, f event.Finding) event.Incident {
	in.Count++
	if len(in.Findings) < maxFindings {
		in.Findings = append(slices.Clone(in.Findings), f.ID)
	}
	in.Rules = add(in.Rules, f.Rule+f.Model)
	in.Subjects = subjects(in.Subjects, f.Subject)
	in.Keys = slices.Clone(in.Keys)
	for _, k := range keys(f) {
		in.Keys = add(in.Keys, k)
	}
	if f.Severity.Rank() > in.Priority.Rank() {
		in.Priority = f.Severity
	}
	if f.Received.After(in.Updated) {
		in.Updated = f.Received
	}
	return in
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

// telling says whether an address can say that two findings belong together:
// loopback and link-local addresses are everybody's.
func telling(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsUnspecified()
}

// keys are what a finding can share with another, strongest first.
func keys(f event.Finding) []string {
	var out []string
	s := f.Subject
	if s.IsPod() {
		out = append(out, "pod/"+s.Namespace+"/"+s.Name+"/"+s.UID)
	}
	if s.Workload.UID != "" {
		out = append(out, "workload/"+s.Workload.UID)
	}
	if f.Actor.User != "" && f.Source == event.SourceAudit {
		out = append(out, "actor/"+f.Actor.User)
	}
	if telling(f.Actor.Address) {
		out = append(out, "address/"+f.Actor.Address)
	}
	if s.IsNode() {
		out = append(out, "node/"+s.Name)
	}
	for i, key := range out {
		if len(key) > maxKey {
			out[i] = key[:strings.Index(key, "/")+1] + event.HashID(key)
		}
	}
	return out
}
