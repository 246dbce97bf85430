package event

import "strings"

// Ref names one Kubernetes object, or a thing that belongs to one. As an
// event's object it is what was done to; as a run's target it carries a UID.
type Ref struct {
	Group string `json:"group,omitempty" expr:"group"`
	// Resource is the plural name that the API uses: pods, nodes, secrets.
	Resource    string `json:"resource,omitempty" expr:"resource"`
	Subresource string `json:"subresource,omitempty" expr:"subresource"`
	Kind        string `json:"kind,omitempty" expr:"kind"`
	Namespace   string `json:"namespace,omitempty" expr:"namespace"`
	Name        string `json:"name,omitempty" expr:"name"`
	UID         string `json:"uid,omitempty" expr:"uid"`
	// Node is where a pod runs.
	Node        string            `json:"node,omitempty" expr:"node"`
	Container   string            `json:"container,omitempty" expr:"container"`
	ContainerID string            `json:"container_id,omitempty" expr:"container_id"`
	Image       string            `json:"image,omitempty" expr:"image"`
	Digest      string            `json:"digest,omitempty" expr:"digest"`
	Workload    Workload          `json:"workload,omitzero" expr:"workload"`
	Labels      map[string]string `json:"labels,omitempty" expr:"labels"`
	// ServiceAccount is NAMESPACE/NAME of the account that a pod runs as.
	ServiceAccount string `json:"service_account,omitempty" expr:"service_account"`
}

// Workload is the controller at the top of a pod's owners.
type Workload struct {
	Kind string `json:"kind,omitempty" expr:"kind"`
	Name string `json:"name,omitempty" expr:"name"`
	UID  string `json:"uid,omitempty" expr:"uid"`
}

// PodRef is the reference to a pod by name.
func PodRef(namespace, name string) Ref {
	return Ref{Resource: "pods", Kind: "Pod", Namespace: namespace, Name: name}
}

// NodeRef is the reference to a node by name.
func NodeRef(name string) Ref {
	return Ref{Resource: "nodes", Kind: "Node", Name: name}
}

// String reads pods/NAMESPACE/NAME, without the parts that are empty. It is
// for people; use the fields to compare.
func (r Ref) String() string {
	parts := make([]string, 0, 4)
	for _, p := range []string{r.Resource, r.Namespace, r.Name, r.Subresource} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, "/")
}

// IsPod says whether the reference is to a pod, or to a subresource of one.
func (r Ref) IsPod() bool { return r.Group == "" && r.Resource == "pods" && r.Name != "" }

// IsNode says whether the reference is to a node, or to a subresource of one.
func (r Ref) IsNode() bool { return r.Group == "" && r.Resource == "nodes" && r.Name != "" }
