package action

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/kube"
)

const serviceAuthenticate = "service.authenticate"

var (
	requestAuthentications = Resource{"security.istio.io", "v1", "requestauthentications"}
	authorizationPolicies  = Resource{"security.istio.io", "v1", "authorizationpolicies"}
)

func init() {
	at := []Resource{requestAuthentications, authorizationPolicies}
	register(Kind{
		Name: serviceAuthenticate,
		Doc: "Asks stronger authentication of whoever calls a Service, by Istio: a JSON Web Token of an issuer with a claim of a value, such as amr=mfa; " +
			"HTTP requests without one are denied. Pods without Istio's proxy, and ports that are not HTTP, see the note of the plan.",
		Class:      Effect,
		Reversible: true,
		OptIn:      true,
		Targets:    []string{"services"},
		Holds:      at,
		Config:     func() any { return &AuthenticateConfig{Claim: "amr", Value: "mfa"} },
		Example: func() any {
			return &AuthenticateConfig{Issuer: "https://login.example", JWKS: "https://login.example/keys", Claim: "amr", Value: "mfa"}
		},
		Check: func(config any) error { return checked(serviceAuthenticate, config, AuthenticateConfig.check) },
		Needs: append(needs(at, "create", "delete", "get", "list", "patch"), Permission{Resource: "services", Verbs: []string{"get"}}),
		Admits: append(append(admits(at, "CREATE", func(Resource) string {
			return kube.OwnObject + " && has(object.spec.selector) && has(object.spec.selector.matchLabels) && size(object.spec.selector.matchLabels) > 0" +
				" && (!has(object.spec.action) || object.spec.action == 'DENY')"
		}), admits(at, "UPDATE", func(Resource) string { return kube.OwnMarked })...),
			admits(at, "DELETE", func(Resource) string { return kube.OwnOldObject })...),
		New: func(d Deps, config any) (Action, error) {
			c, err := params[AuthenticateConfig](serviceAuthenticate, config)
			if err != nil {
				return nil, err
			}
			a := authenticate{d, *c}
			return made{Deps: d, action: serviceAuthenticate, objects: a.objects}, c.check()
		},
	})
}

// AuthenticateConfig are the parameters of service.authenticate.
type AuthenticateConfig struct {
	// Issuer is the token's iss.
	Issuer string `yaml:"issuer" json:"issuer"`
	// JWKS is the URL of the issuer's keys.
	JWKS string `yaml:"jwks" json:"jwks"`
	// Claim is the claim of the token that must be, or hold, the value: amr unless
	// it says otherwise.
	Claim string `yaml:"claim,filled" json:"claim"`
	// Value is that, mfa unless it says otherwise.
	Value string `yaml:"value,filled" json:"value"`
}

func (c AuthenticateConfig) check() error {
	if u, err := url.Parse(c.JWKS); err != nil || u.Scheme != "https" || u.Host == "" || len(c.JWKS) > maxText {
		return fmt.Errorf("%s: jwks is no https URL", serviceAuthenticate)
	}
	if c.Issuer == "" || len(c.Issuer) > maxText {
		return fmt.Errorf("%s: no issuer", serviceAuthenticate)
	}
	if c.Claim == "" || len(c.Claim) > 255 || strings.ContainsAny(c.Claim, "[] \t\n") || c.Value == "" || len(c.Value) > maxText {
		return fmt.Errorf("%s: claim %q and value %q: want one of each, the claim without brackets", serviceAuthenticate, cut(c.Claim, maxText), cut(c.Value, maxText))
	}
	return nil
}

type authenticate struct {
	Deps
	AuthenticateConfig
}

// objects are the rule that tokens of the issuer are checked, and the one that
// denies what has none with the claim. (https://istio.io/latest/docs/reference/config/security/)
func (a authenticate) objects(ctx context.Context, r Request) ([]own, string, []string, error) {
	summary := fmt.Sprintf("ask a token of %s with %s=%s of callers of %s", cut(a.Issuer, maxText), a.Claim, a.Value, r.Target)
	service, err := readObject(ctx, a.Deps, services, r.Target)
	if err != nil {
		return nil, summary, nil, err
	}
	selector, _, _ := unstructured.NestedStringMap(service.Object, "spec", "selector")
	if a.Offline {
		selector = map[string]string{"app": "unknown"}
	} else if served, err := a.Cluster.Serves(ctx, authorizationPolicies.Group, authorizationPolicies.Version, authorizationPolicies.Resource); err != nil || !served {
		if err != nil && !kube.Unread(err) {
			return nil, summary, nil, err
		}
		if err != nil {
			return nil, summary, nil, refuse(r.Target, "whether the cluster has Istio can't be known: %v", err)
		}
		return nil, summary, nil, refuse(r.Target, "the cluster has no Istio: it serves no AuthorizationPolicy")
	}
	if len(selector) == 0 {
		return nil, summary, nil, refuse(r.Target, "the Service selects no pods by labels, and a policy without a selector binds the whole namespace")
	}
	labels := object{}
	for k, v := range selector {
		labels[k] = v
	}
	on := object{"matchLabels": labels}
	list := []own{
		{
			Resource: requestAuthentications, Kind: "RequestAuthentication", Namespace: r.Target.Namespace, Part: "token",
			Body: object{"spec": object{"selector": on, "jwtRules": []any{object{"issuer": a.Issuer, "jwksUri": a.JWKS}}}},
		},
		{
			Resource: authorizationPolicies, Kind: "AuthorizationPolicy", Namespace: r.Target.Namespace, Part: "claim",
			Body: object{"spec": object{"selector": on, "action": "DENY", "rules": []any{
				object{"when": []any{object{"key": "request.auth.claims[" + a.Claim + "]", "notValues": []any{a.Value}}}},
			}}},
		},
	}
	return list, summary, []string{
		"only pods with Istio's proxy are bound by it: whether these have one is not looked at",
		"it binds all ports of the pods, whichever Service leads there; on ports that are not HTTP Istio can't look at a token, and may deny everything",
		"people who hold such a token already keep it until it runs out",
	}, nil
}
