package action

import (
	"context"
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const identityDeny = "identity.deny"

func init() {
	register(Kind{
		Name: identityDeny,
		Doc: "Denies an identity, or the members of a group, every write to the API, and exec, for a time, by a shipped admission policy; or lets it go on only with stronger authentication, " +
			"by what its authenticator says of it. Reads pass no admission and are not denied.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Holds:      []Resource{configMaps},
		Config:     func() any { return new(IdentityDenyConfig) },
		Check:      func(config any) error { return checked(identityDeny, config, IdentityDenyConfig.check) },
		Needs:      append(needsLockout(kube.LockoutIdentity), Permission{Resource: "pods", Verbs: []string{"get"}}, Permission{Resource: "serviceaccounts", Verbs: []string{"get"}}),
		Admits:     admitLockout(kube.LockoutIdentity),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[IdentityDenyConfig](identityDeny, config)
			if err != nil {
				return nil, err
			}
			return lockout{d, identityDeny, kube.LockoutIdentity, deny{d, *c}.data}.make(), c.check()
		},
	})
}

// IdentityDenyConfig are the parameters of identity.deny.
type IdentityDenyConfig struct {
	// User is the identity, as the API server names it. Empty is the target, if
	// it is a service account, or the one that the target pod runs as.
	User string `yaml:"user,filled" json:"user,omitempty"`
	// Group is a group, as the authenticator gives it to its members: all of them
	// are denied. It may be the target, too.
	Group string `yaml:"group,filled" json:"group,omitempty"`
	// UnlessExtra lets it go on when its authenticator gives it the value
	// unless_value under this key of extra: example.com/amr, where OIDC's claim is
	// mapped to it.
	UnlessExtra string `yaml:"unless_extra,filled" json:"unless_extra,omitempty"`
	// UnlessValue is what unless_extra has to be, as mfa.
	UnlessValue string `yaml:"unless_value,filled" json:"unless_value,omitempty"`
}

func (c IdentityDenyConfig) check() error {
	if (c.UnlessExtra == "") != (c.UnlessValue == "") {
		return fmt.Errorf("%s: unless_extra and unless_value go together", identityDeny)
	}
	if c.User != "" && c.Group != "" {
		return fmt.Errorf("%s: user or group, not both", identityDeny)
	}
	if len(c.Group) > maxUser || len(c.UnlessExtra) > maxText || len(c.UnlessValue) > maxText || len(c.User) > maxUser {
		return fmt.Errorf("%s: a parameter is over %d bytes", identityDeny, maxText)
	}
	return nil
}

type deny struct {
	Deps
	IdentityDenyConfig
}

func (a deny) data(ctx context.Context, r Request) (map[string]string, string, []string, error) {
	data, name, err := a.whom(ctx, r)
	if err != nil {
		return nil, "", nil, err
	}
	notes := []string{
		"reads are not denied: no admission is asked about them",
		"members of system:masters are never denied",
		"what is created is denied until the hold's end even if Firebreak is gone; changes and deletes until the ConfigMap is taken away",
	}
	if a.UnlessExtra != "" {
		data["extra"], data["value"] = a.UnlessExtra, a.UnlessValue
		return data, fmt.Sprintf("ask stronger authentication of %s for writes (%s=%s)", name, a.UnlessExtra, a.UnlessValue), notes, nil
	}
	return data, fmt.Sprintf("deny every write of %s", name), notes, nil
}

// whom is what the lockout's data say of the identity, and its name for people.
func (a deny) whom(ctx context.Context, r Request) (data map[string]string, name string, err error) {
	group := a.Group
	if group == "" && a.User == "" && r.Target.IsThing() && r.Target.Resource == event.ResourceGroups {
		group = r.Target.Name
	}
	switch {
	case group == "":
		s, err := identityOf(ctx, a.Deps, r.Target, a.User)
		return map[string]string{"user": s.user()}, cut(s.user(), maxText), err
	case strings.HasPrefix(group, "system:") || len(group) > maxUser:
		return nil, "", refuse(r.Target, "%s is a group of the system", cut(group, maxText))
	}
	return map[string]string{"group": group}, "the members of group " + cut(group, maxText), nil
}
