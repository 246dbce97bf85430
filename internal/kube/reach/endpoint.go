package reach

import (
	"cmp"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kind is what an end of a connection is.
type kind uint8

const (
	kindPod kind = iota
	kindNode
	kindAddress
)

// space is a namespace.
type space struct {
	name   string
	labels map[string]string
}

// endpoint is an end of a connection. Whatever uses the host network is its
// node: that is what policies see of it.
type endpoint struct {
	kind      kind
	space     *space
	name      string
	labels    map[string]string
	addresses []netip.Addr
	named     []namedPort
	node      string
	account   string
	workload  string
}

type namedPort struct {
	name     string
	protocol Protocol
	port     uint16
}

// resolve gives the ports that a name stands for here.
func (e *endpoint) resolve(name string, of func(Protocol) bool) Ports {
	var s Ports
	for _, n := range e.named {
		if n.name == name && of(n.protocol) {
			s = s.union(portRange(n.protocol, int(n.port), int(n.port)))
		}
	}
	return s
}

func podEndpoint(p *corev1.Pod, in *space) *endpoint {
	e := &endpoint{
		kind: kindPod, space: in, name: p.Name, labels: p.Labels, node: p.Spec.NodeName,
		account: cmp.Or(p.Spec.ServiceAccountName, "default"), workload: workload(p),
	}
	for _, ip := range p.Status.PodIPs {
		e.addAddress(ip.IP)
	}
	if len(e.addresses) == 0 {
		e.addAddress(p.Status.PodIP)
	}
	for i := range p.Spec.Containers {
		e.addPorts(p.Spec.Containers[i].Ports)
	}
	for i := range p.Spec.InitContainers {
		// One that goes on running is a sidecar.
		if r := p.Spec.InitContainers[i].RestartPolicy; r != nil && *r == corev1.ContainerRestartPolicyAlways {
			e.addPorts(p.Spec.InitContainers[i].Ports)
		}
	}
	return e
}

func nodeEndpoint(n *corev1.Node) *endpoint {
	e := &endpoint{kind: kindNode, name: n.Name, node: n.Name, labels: n.Labels}
	for _, a := range n.Status.Addresses {
		e.addAddress(a.Address)
	}
	return e
}

func (e *endpoint) addAddress(text string) {
	if a, err := netip.ParseAddr(text); err == nil {
		e.addresses = append(e.addresses, a.Unmap().WithZone(""))
	}
}

func (e *endpoint) addPorts(ports []corev1.ContainerPort) {
	for _, p := range ports {
		protocol, ok := ParseProtocol(string(p.Protocol))
		if ok && p.Name != "" && p.ContainerPort >= lowest && p.ContainerPort <= highest {
			e.named = append(e.named, namedPort{p.Name, protocol, uint16(p.ContainerPort)})
		}
	}
}

// workload names the controller, the Deployment of a ReplicaSet by the hash
// that its name ends in.
func workload(p *corev1.Pod) string {
	ref := metav1.GetControllerOf(p)
	if ref == nil {
		return ""
	}
	if hash := p.Labels["pod-template-hash"]; ref.Kind == "ReplicaSet" && hash != "" && len(ref.Name) > len(hash)+1 &&
		ref.Name[len(ref.Name)-len(hash)-1:] == "-"+hash {
		return "Deployment/" + ref.Name[:len(ref.Name)-len(hash)-1]
	}
	return ref.Kind + "/" + ref.Name
}

// over says that a pod has run to its end.
func over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}
