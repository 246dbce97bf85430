package action

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

const podProcesses = "pod.processes"

func init() {
	register(Kind{
		Name: podProcesses,
		Doc: "Lists the processes of a container by an ephemeral container beside it, and keeps the list in the object store. " +
			"It needs nothing of the suspect's image.",
		Class:    Effect,
		OptIn:    true,
		Evidence: true,
		Targets:  []string{"pods"},
		Config:   func() any { return new(ProcessesConfig) },
		Example:  func() any { return &ProcessesConfig{Image: "registry.example/tools:1"} },
		Check:    func(config any) error { return checked(podProcesses, config, ProcessesConfig.check) },
		Needs:    ephemeralNeeds(),
		Admits:   ephemeralAdmits(),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[ProcessesConfig](podProcesses, config)
			if err != nil {
				return nil, err
			}
			list := c.Command
			if len(list) == 0 {
				list = []string{"ps", "-ef"}
			}
			return ephemeral{
				capturing: capturing{d, podProcesses}, file: "processes.txt", target: c.Container, most: defaultCapture, summary: "list the processes",
				container: corev1.EphemeralContainerCommon{Image: c.Image, Command: list, SecurityContext: capable("SYS_PTRACE")},
			}, c.check()
		},
	})
}

// ProcessesConfig are the parameters of pod.processes.
type ProcessesConfig struct {
	// Image has the program; it is the operator's choice, by digest best.
	Image string `yaml:"image" json:"image"`
	// Container is whose processes; empty is the first.
	Container string `yaml:"container" json:"container,omitempty"`
	// Command lists them; empty is ps -ef.
	Command []string `yaml:"command" json:"command,omitempty"`
}

func (c ProcessesConfig) check() error {
	if len(c.Command) > maxArguments {
		return fmt.Errorf("%s: a command has at most %d arguments", podProcesses, maxArguments)
	}
	return checkImage(podProcesses, c.Image)
}
