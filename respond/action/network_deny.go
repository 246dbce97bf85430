package action

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

const networkDeny = "network.deny"

func init() {
	register(Kind{
		Name: networkDeny,
		Doc: "Keeps addresses out: the pods of the target's namespace can't reach them, or be reached from them, or both. " +
			"By the best means that the cluster has; the plan says which, and what is not kept out.",
		Class:      Effect,
		Reversible: true,
		OptIn:      true,
		Targets:    []string{"pods", "namespaces"},
		Holds:      append(addressMeans(), plainPolicies),
		Config:     func() any { return &DenyConfig{Scope: newScope()} },
		Example: func() any {
			return &DenyConfig{Scope: newScope(), Addresses: []string{"192.0.2.7"}}
		},
		Check:  func(config any) error { return checked(networkDeny, config, DenyConfig.check) },
		Needs:  networkNeeds(addressMeans()...),
		Helps:  reach.Permissions(),
		Admits: networkAdmits(addressMeans()...),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[DenyConfig](networkDeny, config)
			if err != nil {
				return nil, err
			}
			deny, err := c.prefixes()
			if err != nil {
				return nil, err
			}
			return newNetwork(d, networkDeny, c.By, func(namespace string) barrier {
				b := c.barrier(namespace)
				b.deny = deny
				return b
			}), c.check()
		},
	})
}

// DenyConfig are the parameters of network.deny.
type DenyConfig struct {
	Scope `yaml:",inline"`
	// Addresses are IP addresses and CIDRs, such as ["${finding.actor.address}"].
	// An empty one is an error, and so is a wide part of the world.
	Addresses []string `yaml:"addresses,required" json:"addresses"`
}

func (c DenyConfig) prefixes() ([]netip.Prefix, error) {
	list, err := prefixes(c.Addresses)
	if err == nil && len(list) == 0 {
		err = errors.New("no addresses")
	}
	for _, p := range list {
		if err == nil {
			err = deniable(p)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", networkDeny, err)
	}
	return list, nil
}

func (c DenyConfig) check() error {
	if err := c.Scope.check(); err != nil {
		return fmt.Errorf("%s: %w", networkDeny, err)
	}
	_, err := c.prefixes()
	return err
}
