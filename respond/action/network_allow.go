package action

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

const networkAllow = "network.allow"

func init() {
	register(Kind{
		Name: networkAllow,
		Doc: "Lets through only what is listed: the pods of the target's namespace reach these addresses and namespaces, or are reached " +
			"from them, and nothing else. What a NetworkPolicy denies stays denied. By the best means that the cluster has; the plan says which.",
		Class:      Effect,
		Reversible: true,
		OptIn:      true,
		Targets:    []string{"pods", "namespaces"},
		Holds:      append(policyMeans(), plainPolicies),
		Config:     func() any { return &AllowConfig{Scope: newScope(), Inside: true, DNS: true} },
		Example: func() any {
			return &AllowConfig{Scope: newScope(), Addresses: []string{"192.0.2.0/24"}, Inside: true, DNS: true}
		},
		Check:  func(config any) error { return checked(networkAllow, config, AllowConfig.check) },
		Needs:  networkNeeds(policyMeans()...),
		Helps:  reach.Permissions(),
		Admits: networkAdmits(policyMeans()...),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[AllowConfig](networkAllow, config)
			if err != nil {
				return nil, err
			}
			allow, err := c.prefixes()
			if err != nil {
				return nil, err
			}
			return newNetwork(d, networkAllow, c.By, func(namespace string) barrier {
				b := c.barrier(namespace)
				b.only, b.allow, b.dns, b.namespaces = true, allow, c.DNS, insiders(c.Inside, namespace, c.Namespaces)
				return b
			}), c.check()
		},
	})
}

// AllowConfig are the parameters of network.allow.
type AllowConfig struct {
	Scope `yaml:",inline"`
	// Addresses are IP addresses and CIDRs that may pass.
	Addresses []string `yaml:"addresses" json:"addresses,omitempty"`
	// Namespaces are those whose pods may pass.
	Namespaces []string `yaml:"namespaces" json:"namespaces,omitempty"`
	// Inside lets the pods of the namespace reach one another.
	Inside bool `yaml:"inside" json:"inside"`
	// DNS lets names be looked up in kube-system.
	DNS bool `yaml:"dns" json:"dns"`
}

func (c AllowConfig) prefixes() ([]netip.Prefix, error) {
	list, err := prefixes(c.Addresses)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", networkAllow, err)
	}
	return list, nil
}

func (c AllowConfig) check() error {
	_, err := c.prefixes()
	if err != nil {
		return err
	}
	err = errors.Join(c.Scope.check(), checkNamespaces(c.Namespaces))
	if err == nil && len(c.Addresses)+len(c.Namespaces) == 0 {
		err = errors.New("neither addresses nor namespaces: that is network.quarantine")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", networkAllow, err)
	}
	return nil
}

// insiders are the namespaces that may pass.
func insiders(inside bool, namespace string, others []string) []string {
	var names []string
	if inside {
		names = append(names, namespace)
	}
	return append(names, others...)
}
