package ingest

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// known is a field of Falco that has a value: not null, not <NA>.
func known(f event.Fields, names ...string) string {
	for _, name := range names {
		if s, ok := f[name].(string); ok && s != "" && s != "<NA>" && s != "N/A" {
			return s
		}
	}
	return ""
}

// falcoRuntime fills what a system call, or another plugin, says.
func falcoRuntime(e *event.Event, source string) {
	f := e.Fields
	e.Class = falcoClass(e, source)
	e.Verb = known(f, "evt.type")
	e.Actor = event.Actor{User: known(f, "user.name"), Process: known(f, "proc.cmdline")}
	if !runtimeSource(source) {
		falcoCloud(e)
	}
	// The k8smeta plugin has the pod under names of its own; what the runtime
	// said comes first.
	e.Object = event.Ref{
		Namespace: known(f, "k8s.ns.name", "k8smeta.ns.name"),
		Name:      known(f, "k8s.pod.name", "k8smeta.pod.name"),
		UID:       known(f, "k8s.pod.uid", "k8s.pod.id", "k8smeta.pod.uid"),
		Node:      known(f, "k8s.node.name"),
		Container: known(f, "container.name", "k8s.container.name"),
		Image:     falcoImage(f),
		Digest:    known(f, "container.image.digest"),
		Workload:  falcoWorkload(f),
	}
	if id := known(f, "container.id", "container.full_id"); id != "host" {
		e.Object.ContainerID = id
	}
	if known(f, "container.id") == "host" && e.Object.Container == "host" {
		e.Object.Container = ""
	}
	switch o := e.Object; {
	case o.Name != "" || o.UID != "" || o.ContainerID != "":
		e.Object.Resource, e.Object.Kind = "pods", "Pod"
	case o.Container == "" && o.Image == "" && e.Class != event.ClassFalcoSelf && runtimeSource(source):
		falcoHost(e)
	}
	switch known(f, "evt.res") {
	case "":
	case "SUCCESS":
		e.Outcome = event.OutcomeSuccess
	default:
		e.Outcome = event.OutcomeFailure
	}
	e.Trust = event.TrustName
	if runtimeSource(source) && (isContainerID(e.Object.ContainerID) || e.Object.UID != "") {
		e.Trust = event.TrustRuntime
	}
}

// falcoHost names the node as the object of what no container did, as far as
// Falco says which it is: its own host name is the node's where it was told so
// (FALCO_HOSTNAME, as its Helm chart does), else that of its pod, which is the
// name of no node and so a target of nothing.
func falcoHost(e *event.Event) {
	if name := known(e.Fields, "k8s.node.name", "evt.hostname"); name != "" {
		e.Object = event.NodeRef(name)
		e.Object.Node = name
	}
}

// runtimeSource says that the alert is of Falco's system call source, whose
// container fields the container runtime gave. Old versions name no source,
// and one wrote syscalls.
func runtimeSource(source string) bool {
	return source == "" || source == "syscall" || source == "syscalls"
}

// isContainerID accepts what runtimes give: 12 to 64 hexadecimal digits.
func isContainerID(id string) bool {
	return len(id) >= 12 && len(id) <= 64 && strings.Trim(id, "0123456789abcdef") == ""
}

func falcoImage(f event.Fields) string {
	repository, tag := known(f, "container.image.repository"), known(f, "container.image.tag")
	switch {
	case repository == "":
		return known(f, "container.image")
	case tag == "":
		return repository
	}
	return repository + ":" + tag
}

func falcoWorkload(f event.Fields) event.Workload {
	for _, w := range []struct{ field, kind string }{
		{"k8s.deployment", "Deployment"}, {"k8s.rs", "ReplicaSet"}, {"k8s.rc", "ReplicationController"},
	} {
		if name := known(f, w.field+".name"); name != "" {
			return event.Workload{Kind: w.kind, Name: name, UID: known(f, w.field+".uid", w.field+".id")}
		}
	}
	return event.Workload{}
}

// falcoClass is by the system call; where the alert doesn't name it by the
// rule's tags, and then by the fields that it has. What other plugins saw
// (clouds, Okta, GitHub) has no class of its own.
func falcoClass(e *event.Event, source string) string {
	if source == "internal" || strings.HasPrefix(e.Rule, "Falco internal:") {
		return event.ClassFalcoSelf
	}
	if !runtimeSource(source) {
		return event.ClassSyscall
	}
	if call := known(e.Fields, "evt.type"); call != "" {
		return callClass(call)
	}
	for _, tag := range e.Tags {
		switch tag {
		case "filesystem", "file":
			return event.ClassFile
		case "network":
			return event.ClassNetwork
		case "process", "shell", "mitre_execution":
			return event.ClassProcessExec
		}
	}
	switch f := e.Fields; {
	case known(f, "fd.rip", "fd.sip", "fd.cip", "fd.lip") != "":
		return event.ClassNetwork
	case strings.HasPrefix(known(f, "fd.name"), "/"):
		return event.ClassFile
	case known(f, "proc.cmdline") != "" && f["proc.tty"] != nil && f["proc.tty"] != int64(0):
		return event.ClassProcessExec
	}
	return event.ClassSyscall
}

func callClass(call string) string {
	switch call {
	case "execve", "execveat", "clone", "clone3", "fork", "vfork", "spawned_process", "procexit":
		return event.ClassProcessExec
	case "open", "openat", "openat2", "open_by_handle_at", "creat", "unlink", "unlinkat", "rename", "renameat", "renameat2",
		"mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat",
		"chown", "fchown", "fchownat", "lchown", "read", "write", "truncate", "ftruncate", "mknod", "mknodat", "mount", "umount", "umount2":
		return event.ClassFile
	case "connect", "accept", "accept4", "bind", "listen", "socket", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "shutdown":
		return event.ClassNetwork
	}
	return event.ClassSyscall
}
