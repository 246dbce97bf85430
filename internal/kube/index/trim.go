package index

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
)

// The bounds of what is kept of one pod: whoever may make pods writes all of
// it.
const (
	MaxLabels     = 32
	maxContainers = 64
	maxText       = 512
)

// logsAnnotation chooses the parser of a pod's logs.
const logsAnnotation = "firebreak.io/logs"

// podOf keeps of a pod what the index is asked for.
func podOf(in *corev1.Pod) *Pod {
	p := &Pod{
		Namespace: intern(in.Namespace), Name: text(in.Name), UID: text(string(in.UID)), Node: intern(in.Spec.NodeName),
		ServiceAccount: intern(in.Spec.ServiceAccountName), Created: in.CreationTimestamp.Time,
		Logs: intern(in.Annotations[logsAnnotation]), signatures: signaturesOf(in.Annotations),
	}
	p.Labels, p.Cut = labelsOf(in.Labels)
	p.Owner = ownerOf(in)
	if in.Status.StartTime != nil {
		p.Started = in.Status.StartTime.Time
	}
	if !in.Spec.HostNetwork {
		for _, ip := range in.Status.PodIPs {
			if a, err := netip.ParseAddr(ip.IP); err == nil {
				p.Addresses = append(p.Addresses, a.Unmap())
			}
		}
	}
	p.Containers = containersOf(in)
	if in.Status.Phase == corev1.PodSucceeded || in.Status.Phase == corev1.PodFailed {
		p.Ended = ended(in)
	}
	return p
}

// ownerOf is the controller of an object.
func ownerOf(o metav1.Object) event.Workload {
	ref := metav1.GetControllerOfNoCopy(o)
	if ref == nil {
		return event.Workload{}
	}
	return event.Workload{Kind: intern(ref.Kind), Name: intern(ref.Name), UID: intern(string(ref.UID))}
}

func labelsOf(in map[string]string) (out map[string]string, cut bool) {
	if len(in) == 0 {
		return nil, false
	}
	names := slices.Sorted(maps.Keys(in))
	if cut = len(names) > MaxLabels; cut {
		names = names[:MaxLabels]
	}
	out = make(map[string]string, len(names))
	for _, name := range names {
		out[intern(name)] = intern(in[name])
	}
	return out, cut
}

// containersOf joins what the pod asks for with what its kubelet says. The
// container before the last restart is one of its own: an alert may come late.
func containersOf(in *corev1.Pod) []Container {
	images := map[string]string{}
	for _, c := range slices.Concat(in.Spec.Containers, in.Spec.InitContainers) {
		images[c.Name] = c.Image
	}
	for _, c := range in.Spec.EphemeralContainers {
		images[c.Name] = c.Image
	}
	all := make([]Container, 0, len(images))
	add := func(name, image, id, imageID string) {
		if len(all) < maxContainers {
			all = append(all, Container{Name: intern(name), Image: intern(image), ID: bareID(id), Digest: intern(digestOf(imageID))})
		}
	}
	seen := map[string]bool{}
	statuses := slices.Concat(in.Status.ContainerStatuses, in.Status.InitContainerStatuses, in.Status.EphemeralContainerStatuses)
	for _, s := range statuses {
		image := images[s.Name]
		if image == "" {
			image = s.Image
		}
		seen[s.Name] = true
		add(s.Name, image, s.ContainerID, s.ImageID)
	}
	for _, s := range statuses {
		if last := s.LastTerminationState.Terminated; last != nil && last.ContainerID != "" {
			add(s.Name, images[s.Name], last.ContainerID, s.ImageID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(images)) {
		if !seen[name] {
			add(name, images[name], "", "")
		}
	}
	return slices.Clip(all)
}

// ended is when the last container of a pod ended that runs no more.
func ended(in *corev1.Pod) time.Time {
	last := in.CreationTimestamp.Time
	for _, s := range slices.Concat(in.Status.ContainerStatuses, in.Status.InitContainerStatuses) {
		if t := s.State.Terminated; t != nil && t.FinishedAt.After(last) {
			last = t.FinishedAt.Time
		}
	}
	return last
}

// bareID is a container's id without the runtime: containerd://ID.
func bareID(id string) string {
	if _, bare, ok := strings.Cut(id, "://"); ok {
		id = bare
	}
	if len(id) > maxText {
		return ""
	}
	return strings.Clone(id)
}

// digestOf finds the digest in what a kubelet calls an image:
// REPOSITORY@sha256:…. A bare sha256:… is the id of the image on that node,
// which is another hash.
func digestOf(imageID string) string {
	_, digest, ok := strings.Cut(imageID, "@")
	if !ok || !strings.HasPrefix(digest, "sha256:") || len(digest) > maxText {
		return ""
	}
	return digest
}

// text is s, cut and freed of what it was decoded from.
func text(s string) string { return strings.Clone(s[:min(len(s), maxText)]) }

// intern is s, cut, of which there is one copy: most names come again and
// again.
func intern(s string) string { return unique.Make(s[:min(len(s), maxText)]).Value() }
