package action

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

const podCapture = "pod.capture"

func init() {
	register(Kind{
		Name: podCapture,
		Doc: "Captures the packets of a pod by an ephemeral container with tcpdump, for a time or a number of packets, and keeps them in the object store. " +
			"What a kubelet has rotated out of the container's log by then is lost, so it is bounded to 8 MiB.",
		Class:    Effect,
		OptIn:    true,
		Evidence: true,
		Targets:  []string{"pods"},
		Config:   func() any { return defaultPackets() },
		Example: func() any {
			c := defaultPackets()
			c.Image = "registry.example/tools:1"
			return c
		},
		Check:  func(config any) error { return checked(podCapture, config, PacketsConfig.check) },
		Needs:  ephemeralNeeds(),
		Admits: ephemeralAdmits(),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[PacketsConfig](podCapture, config)
			if err != nil {
				return nil, err
			}
			return ephemeral{
				capturing: capturing{d, podCapture}, file: "packets.pcap", most: maxPackets, summary: "capture the packets",
				container: corev1.EphemeralContainerCommon{Image: c.Image, Command: c.command(), SecurityContext: capable("NET_RAW")},
			}, c.check()
		},
	})
}

// maxPackets is less than a kubelet keeps of one log (10 MiB).
const maxPackets = 8 << 20

// PacketsConfig are the parameters of pod.capture.
type PacketsConfig struct {
	// Image has timeout and tcpdump; it is the operator's choice, by digest best.
	Image string `yaml:"image" json:"image"`
	// Seconds end the capture.
	Seconds int `yaml:"seconds" json:"seconds"`
	// Packets end it too, by their number.
	Packets int `yaml:"packets" json:"packets"`
	// Snap is how much is kept of each packet, in bytes.
	Snap int `yaml:"snap" json:"snap"`
	// Filter is in tcpdump's own form, word by word: [tcp, port, "443"].
	Filter []string `yaml:"filter" json:"filter,omitempty"`
}

func defaultPackets() *PacketsConfig { return &PacketsConfig{Seconds: 30, Packets: 10_000, Snap: 256} }

func (c PacketsConfig) command() []string {
	list := []string{
		"timeout", "-s", "INT", strconv.Itoa(c.Seconds), "tcpdump", "-i", "any", "-nn", "-U", "-w", "-",
		"-s", strconv.Itoa(c.Snap), "-c", strconv.Itoa(c.Packets), "--",
	}
	return append(list, c.Filter...)
}

func (c PacketsConfig) check() error {
	switch {
	case c.Seconds < 1 || c.Seconds > 3600 || c.Packets < 1 || c.Packets > 1_000_000 || c.Snap < 64 || c.Snap > 65535:
		return fmt.Errorf("%s: 1 to 3600 seconds, 1 to 1000000 packets, 64 to 65535 bytes of each", podCapture)
	case len(c.Filter) > maxArguments:
		return fmt.Errorf("%s: a filter has at most %d words", podCapture, maxArguments)
	}
	return checkImage(podCapture, c.Image)
}
