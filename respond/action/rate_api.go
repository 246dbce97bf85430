package action

import (
	"context"
	"errors"
	"fmt"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
)

const rateAPI = "rate.api"

var (
	flowSchemas    = Resource{flowcontrolv1.GroupName, "v1", "flowschemas"}
	priorityLevels = Resource{flowcontrolv1.GroupName, "v1", "prioritylevelconfigurations"}
	accounts       = Resource{"", "v1", "serviceaccounts"}
)

// flowPrecedence is asked after what elects leaders and what is exempt (the
// cluster's own go up to 100), and before all that a service account or a
// person mostly comes under (from 400 on).
//
// https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
const flowPrecedence = 200

func init() {
	register(Kind{
		Name: rateAPI,
		Doc: "Bounds what one API identity can ask of the API server by a FlowSchema and a priority level of its own. " +
			"That limits how many of its requests are under way at a time, not how many it sends a minute.",
		Class:      Effect,
		Reversible: true,
		OptIn:      true,
		Holds:      []Resource{flowSchemas, priorityLevels},
		Config:     func() any { return &APIRateConfig{Shares: 1} },
		Check:      func(config any) error { return checked(rateAPI, config, APIRateConfig.check) },
		Needs: []Permission{
			{Group: flowSchemas.Group, Resource: flowSchemas.Resource, Verbs: []string{"get", "list", "create", "patch", "delete"}},
			{Group: priorityLevels.Group, Resource: priorityLevels.Resource, Verbs: []string{"get", "list", "create", "patch", "delete"}},
			{Resource: accounts.Resource, Verbs: []string{"get"}},
			{Resource: "pods", Verbs: []string{"get"}},
			{Resource: "namespaces", Verbs: []string{"get"}},
		},
		Admits: append(ownAdmits(flowSchemas, admitFlow), ownAdmits(priorityLevels, admitLevel)...),
		New: func(d Deps, config any) (Action, error) {
			if config == nil {
				config = &APIRateConfig{Shares: 1}
			}
			c, err := params[APIRateConfig](rateAPI, config)
			if err != nil {
				return nil, err
			}
			a := apiRate{config: *c}
			a.made = made{Deps: d, action: rateAPI, objects: a.objects(d), look: a.look(d)}
			return a, c.check()
		},
	})
}

// What the admission policy lets through: a schema for one user that is nobody
// of the cluster's own, behind those that elect leaders.
const (
	admitFlow = kube.OwnObject +
		" && object.spec.matchingPrecedence == 200 && object.spec.priorityLevelConfiguration.name.startsWith('firebreak-')" +
		" && has(object.spec.rules) && object.spec.rules.all(r, r.subjects.all(s, s.kind == 'User' && has(s.user) && s.user.name != '*'" +
		" && (!s.user.name.startsWith('system:') || s.user.name == 'system:anonymous' || s.user.name.startsWith('system:serviceaccount:')" +
		" && !s.user.name.startsWith('system:serviceaccount:kube-'))))"
	admitLevel = kube.OwnObject + " && object.spec.type == 'Limited' && has(object.spec.limited) && object.spec.limited.lendablePercent == 0" +
		" && object.spec.limited.nominalConcurrencyShares >= 1 && object.spec.limited.nominalConcurrencyShares <= 100"
)

// APIRateConfig are the parameters of rate.api.
type APIRateConfig struct {
	// User is the identity as the API server knows it:
	// system:serviceaccount:NAMESPACE:NAME, or a person's name. Without one it is
	// the target's: a pod's service account, or the service account itself.
	User string `yaml:"user,filled" json:"user,omitempty"`
	// Shares are how much of the API server it gets, next to the shares of all
	// other priority levels (about 245 in all where nobody changed them).
	Shares int `yaml:"shares" json:"shares"`
	// Wait is how many of its requests may wait for their turn; what is more is
	// refused with 429. None wait when it is 0.
	Wait int `yaml:"wait" json:"wait"`
}

// The bounds of shares and of what waits.
const maxShares, maxWait = 100, 1000

func (c APIRateConfig) check() error {
	switch {
	case c.Shares < 1 || c.Shares > maxShares:
		return fmt.Errorf("%s: %d shares: between 1 and %d", rateAPI, c.Shares, maxShares)
	case c.Wait < 0 || c.Wait > maxWait:
		return fmt.Errorf("%s: wait %d: between 0 and %d", rateAPI, c.Wait, maxWait)
	case len(c.User) > maxText:
		return fmt.Errorf("%s: user has more than %d bytes", rateAPI, maxText)
	}
	if c.User == "" {
		return nil
	}
	if err := limitable(c.User); err != nil {
		return fmt.Errorf("%s: %w", rateAPI, err)
	}
	return nil
}

// limitable says why an identity is not to be limited: the cluster goes by it.
func limitable(user string) error {
	account, ok := strings.CutPrefix(user, serviceAccountPrefix)
	switch {
	case user == "*":
		return errors.New("user * is everybody")
	case ok && (!strings.Contains(account, ":") || strings.HasPrefix(account, "kube-")):
		return fmt.Errorf("user %.200q is an account of the cluster itself, or none", user)
	case !ok && strings.HasPrefix(user, "system:") && user != "system:anonymous":
		return fmt.Errorf("user %.200q is a part of the cluster itself", user)
	}
	return nil
}

const serviceAccountPrefix = "system:serviceaccount:"

type apiRate struct {
	made
	config APIRateConfig
}

// Plan lists the priority level and the schema that sends the identity to it. A
// service account is named beside the target, so that guards judge it too.
func (a apiRate) Plan(ctx context.Context, r Request) (event.Plan, error) {
	p, err := a.made.Plan(ctx, r)
	if err != nil {
		return p, err
	}
	user, err := a.user(ctx, r.Target)
	if err != nil {
		return p, err
	}
	namespace, name, ok := strings.Cut(strings.TrimPrefix(user, serviceAccountPrefix), ":")
	if !ok || !strings.HasPrefix(user, serviceAccountPrefix) || a.Offline || r.Target.Resource == accounts.Resource {
		return p, nil
	}
	account, err := a.Cluster.Get(ctx, "", "v1", accounts.Resource, namespace, name)
	if errors.Is(err, kube.ErrNotFound) {
		p.Notes = append(p.Notes, "there is no such service account any more; its tokens may still be used for a while")
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.Also = append(p.Also, accounts.ref(account))
	return p, nil
}

// user is the identity that is meant.
func (a apiRate) user(ctx context.Context, target event.Ref) (string, error) {
	if a.config.User != "" {
		return a.config.User, nil
	}
	namespace, name := target.Namespace, target.Name
	switch {
	case target.IsThing() && target.Resource == event.ResourceUsers:
		if err := limitable(target.Name); err != nil {
			return "", refuse(target, "%v", err)
		}
		return target.Name, nil
	case target.Resource == accounts.Resource && target.Group == "":
		if _, err := readObject(ctx, a.Deps, accounts, target); err != nil {
			return "", err
		}
	case target.IsPod():
		pod, err := readPod(ctx, a.Deps, target)
		if err != nil {
			return "", err
		}
		if name = pod.Spec.ServiceAccountName; name == "" {
			name = "default"
		}
	default:
		return "", refuse(target, "target has no service account: give a user")
	}
	if err := a.unprotected(ctx, target, namespace); err != nil {
		return "", err
	}
	user := serviceAccountPrefix + namespace + ":" + name
	if err := limitable(user); err != nil {
		return "", refuse(target, "%v", err)
	}
	return user, nil
}

// unprotected refuses accounts of a namespace that is marked as protected: what
// is made is the cluster's own, so that the admission policy can't tell.
func (a apiRate) unprotected(ctx context.Context, target event.Ref, namespace string) error {
	if a.Offline {
		return nil
	}
	o, err := a.Cluster.Get(ctx, "", "v1", namespaceResource.Resource, "", namespace)
	if err != nil {
		return err
	}
	if o.GetAnnotations()[event.AnnotationPrefix+"protected"] == "true" {
		return refuse(target, "namespace %s is marked as protected", namespace)
	}
	return nil
}

func (a apiRate) objects(d Deps) func(context.Context, Request) ([]own, string, []string, error) {
	return func(ctx context.Context, r Request) ([]own, string, []string, error) {
		user, err := apiRate{made: made{Deps: d}, config: a.config}.user(ctx, r.Target)
		if err != nil {
			return nil, "", nil, err
		}
		notes, err := a.notes(ctx, d, user)
		if err != nil {
			return nil, "", nil, err
		}
		level := own{Resource: priorityLevels, Kind: "PriorityLevelConfiguration", Body: object{"spec": a.level()}}
		flow := own{Resource: flowSchemas, Kind: "FlowSchema", Body: object{"spec": flow(user, OwnName(r.Key, ""))}}
		return []own{level, flow}, fmt.Sprintf("limit API requests of %s at a time to shares of the API server: %d", cut(user, maxText), a.config.Shares), notes, nil
	}
}

// level is a priority level that gets its shares and borrows none of others'.
func (a apiRate) level() object {
	answer := object{"type": "Reject"}
	if a.config.Wait > 0 {
		answer = object{"type": "Queue", "queuing": object{"queues": 1, "handSize": 1, "queueLengthLimit": a.config.Wait}}
	}
	return object{"type": "Limited", "limited": object{
		"nominalConcurrencyShares": a.config.Shares, "lendablePercent": 0, "borrowingLimitPercent": 0, "limitResponse": answer,
	}}
}

// flow is a schema that sends all requests of a user to a level.
func flow(user, level string) object {
	all := []string{"*"}
	return object{
		"priorityLevelConfiguration": object{"name": level},
		"matchingPrecedence":         flowPrecedence,
		"rules": []object{{
			"subjects":         []object{{"kind": "User", "user": object{"name": user}}},
			"resourceRules":    []object{{"verbs": all, "apiGroups": all, "resources": all, "namespaces": all, "clusterScope": true}},
			"nonResourceRules": []object{{"verbs": all, "nonResourceURLs": all}},
		}},
	}
}
