package enrich

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/index"
)

// object fills in what an event was done to. It says false when that is a pod
// which may be known a moment later.
func (s *Enricher) object(e *event.Event) (known bool) {
	r := &e.Object
	switch {
	case r.IsNode():
		if n, ok := s.index.Node(r.Name); ok && n.Name == r.Name {
			fill(&r.UID, n.UID)
		}
		return true
	case r.Group != "" || r.Resource != "" && r.Resource != "pods" || r.UID == "" && r.Name == "" && r.ContainerID == "":
		s.host(e)
		return true
	}
	m, conflict := s.pod(e)
	switch {
	case conflict:
		s.conflict(e)
		return true
	case m.Pod == nil:
		if e.Source != event.SourceAudit || !s.index.Synced() {
			tag(e, TagMissing)
		}
		return m.Ambiguous || r.UID != "" || e.Source != event.SourceFalco
	}
	untag(e, TagMissing)
	if r.UID == "" && m.By == index.ByName {
		tag(e, TagByName)
	}
	if !m.Gone.IsZero() {
		tag(e, TagGone)
	}
	s.fill(e, m)
	return true
}

// host is for what Falco saw on a node, outside of any pod.
func (s *Enricher) host(e *event.Event) {
	if e.Source != event.SourceFalco || e.Object.Node != "" || e.Object.Resource != "" {
		return
	}
	name, _ := e.Fields["evt.hostname"].(string)
	if n, ok := s.index.Node(name); ok {
		e.Object.Node = n.Name
	}
}

func (s *Enricher) conflict(e *event.Event) {
	tag(e, TagConflict)
	if e.Source == event.SourceFalco {
		e.Trust = min(e.Trust, event.TrustName)
	}
}

// pod finds the pod that the event names: by its UID, else by the container,
// else by its name and the time. A conflict is that two of these are of
// different pods.
func (s *Enricher) pod(e *event.Event) (m index.Match, conflict bool) {
	r := &e.Object
	var byContainer index.Match
	if id := containerID(r.ContainerID); id != "" {
		byContainer = s.index.PodByContainer(id)
	}
	if r.UID != "" {
		m = s.index.PodByUID(r.UID)
		switch {
		case m.Pod == nil:
			// Another pod has the name, or runs the container.
			other := byContainer
			if other.Pod == nil && r.Namespace != "" && r.Name != "" {
				other = s.index.PodByName(r.Namespace, r.Name, happened(e))
			}
			return index.Match{}, other.Pod != nil
		case byContainer.Pod != nil && byContainer.Pod.UID != r.UID, differs(r, m.Pod):
			return index.Match{}, true
		case byContainer.Pod != nil:
			m.Container = byContainer.Container
		}
		return m, false
	}
	if byContainer.Pod != nil {
		return byContainer, differs(r, byContainer.Pod)
	}
	if r.Namespace == "" || r.Name == "" {
		return byContainer, false
	}
	m = s.index.PodByName(r.Namespace, r.Name, happened(e))
	if m.Pod != nil && r.ContainerID != "" && !mayRun(m.Pod) {
		// The pod of that name runs other containers: this one may be of a
		// pod before it, or too young to be known.
		return index.Match{By: index.ByName}, false
	}
	return m, m.Pod != nil && differs(r, m.Pod)
}

// containerID is what can be looked up, or empty.
func containerID(id string) string {
	if strings.Trim(id, "0123456789abcdef") != "" {
		return ""
	}
	return id
}

// differs says whether the event names another pod than this.
func differs(r *event.Ref, p *index.Pod) bool {
	other := func(said, known string) bool { return said != "" && known != "" && said != known }
	return other(r.Namespace, p.Namespace) || other(r.Name, p.Name) || other(r.UID, p.UID) || other(r.Node, p.Node)
}

// mayRun says whether a pod's containers are not all known yet, so that it
// could run one that the index never heard of.
func mayRun(p *index.Pod) bool {
	for _, c := range p.Containers {
		if c.ID != "" {
			return false
		}
	}
	return true
}

// fill takes over what the event leaves open.
func (s *Enricher) fill(e *event.Event, m index.Match) {
	r, p := &e.Object, m.Pod
	known := p.Ref()
	fill(&r.Resource, known.Resource)
	fill(&r.Kind, known.Kind)
	fill(&r.Namespace, known.Namespace)
	fill(&r.Name, known.Name)
	fill(&r.UID, known.UID)
	fill(&r.Node, known.Node)
	fill(&r.ServiceAccount, known.ServiceAccount)
	if r.Labels == nil {
		r.Labels = known.Labels
		if p.Cut {
			e.Cut = append(e.Cut, "object.labels")
		}
	}
	s.workload(r, p)
	c := m.Container
	if c == nil && r.Container != "" {
		c = p.Container(r.Container)
	} else if c == nil {
		c = only(p)
	}
	if c == nil {
		return
	}
	fill(&r.Container, c.Name)
	fill(&r.Image, c.Image)
	fill(&r.Digest, c.Digest)
	if e.Image == (event.Image{}) {
		e.Image = s.index.Image(p, c)
	}
}

// workload fills in the top of the pod's owners. Falco may name the controller
// below it, a ReplicaSet or Job, which is a part of the same answer.
func (s *Enricher) workload(r *event.Ref, p *index.Pod) {
	top := s.index.Workload(p)
	direct := r.Workload.Kind == p.Owner.Kind && r.Workload.Name == p.Owner.Name
	switch {
	case top.Name == "":
	case r.Workload.Name == "" || direct:
		r.Workload = top
	case r.Workload.Kind == top.Kind && r.Workload.Name == top.Name:
		fill(&r.Workload.UID, top.UID)
	}
}

// only is the container of a pod that has just one.
func only(p *index.Pod) *index.Container {
	for i := range p.Containers {
		if p.Containers[i].Name != p.Containers[0].Name {
			return nil
		}
	}
	if len(p.Containers) == 0 {
		return nil
	}
	return &p.Containers[0]
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}
