package index

import (
	"net/netip"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Pod is what the index keeps of a pod. It does not change: a change in the
// cluster makes another.
type Pod struct {
	Namespace, Name, UID, Node string
	// ServiceAccount is the name of the account that it runs as.
	ServiceAccount string
	// Labels are the first [MaxLabels] of them, by name; Cut says that there
	// are more.
	Labels map[string]string
	Cut    bool
	// Owner is its controller; the zero value says that it has none.
	Owner event.Workload
	// Created is when the API server took it, Started when its kubelet did.
	Created, Started time.Time
	// Ended is when its last container ended for good; zero while it runs.
	Ended time.Time
	// Addresses are its own; none on the host's network.
	Addresses  []netip.Addr
	Containers []Container
	// Logs is its annotation firebreak.io/logs.
	Logs string
	// signatures are what the policy engine wrote about its images.
	signatures []signature
}

// Container is one container of a pod, of any sort.
type Container struct {
	Name, Image string
	// Digest is that of the image that runs, with its algorithm: sha256:….
	Digest string
	// ID is what the runtime calls it, without the runtime's name; empty
	// before it was made.
	ID string
}

// Ref is the reference to the pod.
func (p *Pod) Ref() event.Ref {
	r := event.PodRef(p.Namespace, p.Name)
	r.UID, r.Node, r.Labels = p.UID, p.Node, p.Labels
	if p.ServiceAccount != "" {
		r.ServiceAccount = p.Namespace + "/" + p.ServiceAccount
	}
	return r
}

// Container is the container of that name, or nil.
func (p *Pod) Container(name string) *Container {
	for i := range p.Containers {
		if p.Containers[i].Name == name {
			return &p.Containers[i]
		}
	}
	return nil
}

// Signature is what the policy engine said of an image, by its digest, or
// where it has none by its name. It is empty when nothing is known.
func (p *Pod) Signature(c *Container) event.Signature {
	for _, s := range p.signatures {
		if s.about(c) {
			return s.outcome
		}
	}
	return ""
}

// Node is what the index keeps of a node.
type Node struct{ Name, UID string }
