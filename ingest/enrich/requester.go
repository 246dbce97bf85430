package enrich

import (
	"net/netip"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/index"
)

// What the API server says of a token that is bound to a pod
// (https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/).
const (
	extraPodName = "authentication.kubernetes.io/pod-name"
	extraPodUID  = "authentication.kubernetes.io/pod-uid"
)

// requester fills in the pod that a request came from: what the API server read
// in a service account's token, else who had the address of the connection.
func (s *Enricher) requester(e *event.Event) {
	a := &e.Actor
	if a.Pod.Name != "" {
		return
	}
	byAddress := s.sender(e)
	namespace, _, account := strings.Cut(a.ServiceAccount, "/")
	name, uid := extra(e, extraPodName), extra(e, extraPodUID)
	if !account || name == "" || uid == "" {
		if byAddress.Pod != nil {
			a.Pod = s.ref(byAddress.Pod)
		}
		return
	}
	a.Pod = event.PodRef(namespace, name)
	a.Pod.UID = uid
	m := s.index.PodByUID(uid)
	if m.Pod != nil && m.Pod.Namespace == namespace && m.Pod.Name == name {
		a.Pod = s.ref(m.Pod)
	}
	if byAddress.Pod != nil && byAddress.Pod.UID != uid {
		tag(e, TagElsewhere)
	}
}

// sender is the pod that the connection came from. Only the last of the
// addresses is what the API server saw itself: a client may send the others
// (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/).
func (s *Enricher) sender(e *event.Event) index.Match {
	list, _ := e.Fields["source_ips"].([]any)
	if len(list) == 0 {
		return index.Match{}
	}
	text, _ := list[len(list)-1].(string)
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return index.Match{}
	}
	return s.index.PodByAddress(ip, happened(e))
}

// ref is what an event tells of the pod behind it; labels are the object's
// matter.
func (s *Enricher) ref(p *index.Pod) event.Ref {
	r := p.Ref()
	r.Labels, r.Workload = nil, s.index.Workload(p)
	return r
}

func extra(e *event.Event, key string) string {
	all, _ := e.Fields["user_extra"].(map[string]any)
	list, _ := all[key].([]any)
	if len(list) != 1 {
		return ""
	}
	text, _ := list[0].(string)
	if len(text) > 253 {
		return ""
	}
	return text
}
