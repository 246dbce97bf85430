package incident

import (
	"net/netip"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

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
