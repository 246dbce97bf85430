package action

import (
	"fmt"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

const networkQuarantine = "network.quarantine"

func init() {
	register(Kind{
		Name: networkQuarantine,
		Doc: "Cuts all pods of the target's namespace off, in one direction or both. Unlike pod.quarantine it changes no pod: they stay behind " +
			"their Services, and their controllers go on. By the best means that the cluster has; the plan says which, and what leaks.",
		Class:      Effect,
		Reversible: true,
		OptIn:      true,
		Targets:    []string{"pods", "namespaces"},
		Holds:      append(policyMeans(), plainPolicies),
		Config:     func() any { return newCut() },
		Check:      func(config any) error { return checked(networkQuarantine, config, CutConfig.check) },
		Needs:      networkNeeds(policyMeans()...),
		Helps:      reach.Permissions(),
		Admits:     networkAdmits(policyMeans()...),
		New: func(d Deps, config any) (Action, error) {
			if config == nil {
				config = newCut()
			}
			c, err := params[CutConfig](networkQuarantine, config)
			if err != nil {
				return nil, err
			}
			return newNetwork(d, networkQuarantine, c.By, func(namespace string) barrier {
				b := c.barrier(namespace)
				b.only, b.dns, b.namespaces, b.cutProbes = true, c.DNS, insiders(c.Inside, namespace, nil), !c.KeepProbes
				return b
			}), c.check()
		},
	})
}

// CutConfig are the parameters of network.quarantine.
type CutConfig struct {
	Scope `yaml:",inline"`
	// Inside lets the pods of the namespace reach one another.
	Inside bool `yaml:"inside" json:"inside"`
	// DNS lets names be looked up in kube-system.
	DNS bool `yaml:"dns" json:"dns"`
	// KeepProbes lets the kubelet's probes in. Without them it restarts containers
	// that have a liveness probe, and what they held in memory is lost. Only
	// Cilium can keep them out; by other means the plan says that they stay.
	KeepProbes bool `yaml:"keep_probes" json:"keep_probes"`
}

func newCut() *CutConfig { return &CutConfig{Scope: newScope(), KeepProbes: true} }

func (c CutConfig) check() error {
	if err := c.Scope.check(); err != nil {
		return fmt.Errorf("%s: %w", networkQuarantine, err)
	}
	return nil
}
