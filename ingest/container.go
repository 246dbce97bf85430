package ingest

import (
	"path/filepath"
	"strings"

	"github.com/firebreak-io/firebreak/ingest/tail"
	"github.com/firebreak-io/firebreak/internal/event"
)

// containerOf reads the path of a container's log in one of three layouts:
//
//   - the kubelet's, …/NAMESPACE_POD_UID/CONTAINER/N.log, and N.log.TIME after
//     rotation,
//   - the links beside it, …/POD_NAMESPACE_CONTAINER-ID.log,
//   - Docker's, …/ID/ID-json.log, which says only the container's id.
//
// The run names one run of the container, the same before and after rotation.
// Pods can't choose these names freely, as they can what they write.
func containerOf(path string) (ref event.Ref, run string, ok bool) {
	file := filepath.Base(path)
	parent := filepath.Base(filepath.Dir(path))
	pod := strings.Split(filepath.Base(filepath.Dir(filepath.Dir(path))), "_")
	live, _ := tail.Live(file)
	stem, ok := strings.CutSuffix(live, ".log")
	if !ok || stem == "" {
		return event.Ref{}, "", false
	}
	if len(pod) == 3 && parent != "" && strings.Trim(stem, "0123456789") == "" {
		ref = event.PodRef(pod[0], pod[1])
		ref.UID, ref.Container = pod[2], parent
		return ref, pod[2] + "/" + parent + "/" + stem, true
	}
	if id, ok := strings.CutSuffix(stem, "-json"); ok && isLongID(id) {
		return event.Ref{Resource: "pods", Kind: "Pod", ContainerID: id}, id, true
	}
	if linked := strings.Split(stem, "_"); len(linked) == 3 {
		name, id, ok := cutLast(linked[2], "-")
		if ok && isLongID(id) {
			ref = event.PodRef(linked[1], linked[0])
			ref.Container, ref.ContainerID = name, id
			return ref, id, true
		}
	}
	return event.Ref{}, "", false
}

// linkedTo adds what the path says to which the log's name leads.
func linkedTo(ref event.Ref, target string) event.Ref {
	to, _, ok := containerOf(target)
	if !ok {
		return ref
	}
	if ref.ContainerID == "" {
		ref.ContainerID = to.ContainerID
	}
	if ref.UID == "" && to.Name == ref.Name && to.Namespace == ref.Namespace {
		ref.UID = to.UID
	}
	return ref
}

// isLongID is the form of the ids of Docker, containerd and CRI-O: 64
// hexadecimal digits.
func isLongID(id string) bool {
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}

func cutLast(s, sep string) (before, after string, ok bool) {
	at := strings.LastIndex(s, sep)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}
