package action

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/event"
)

const identityRevoke = "identity.revoke"

var secrets = Resource{"", "v1", "secrets"}

func init() {
	register(Kind{
		Name: identityRevoke,
		Doc: "Makes the tokens of a service account invalid by deleting what they are bound to: the pods that run as it, and the token Secrets that the playbook names. " +
			"Of a pod it is that pod alone. Controllers make new pods, with new tokens. There is no way back.",
		Class:    Effect,
		OptIn:    true,
		Destroys: true,
		Targets:  []string{"pods", "serviceaccounts"},
		Config:   func() any { return new(RevokeConfig) },
		Check:    func(config any) error { return checked(identityRevoke, config, RevokeConfig.check) },
		Needs: []Permission{
			{Resource: "pods", Verbs: []string{"get", "list", "delete"}},
			{Resource: "serviceaccounts", Verbs: []string{"get"}},
		},
		Grants: func(config any) []Permission {
			c, ok := config.(*RevokeConfig)
			if !ok || len(c.Secrets) == 0 {
				return nil
			}
			return []Permission{{Resource: "secrets", Verbs: []string{"get", "delete"}, Names: c.Secrets, Grave: true}}
		},
		Admits: []Admit{
			{Resource: "pods", Operation: "DELETE", Expression: "!variables.system"},
			{Resource: "secrets", Operation: "DELETE", Expression: "has(oldObject.type) && oldObject.type == '" + tokenSecret + "'"},
		},
		New: func(d Deps, config any) (Action, error) {
			c, err := params[RevokeConfig](identityRevoke, config)
			if err != nil {
				return nil, err
			}
			return once{Deps: d, action: identityRevoke, list: revoke{d, *c}.list}, c.check()
		},
	})
}

// tokenSecret is the type of Secrets that hold a token without an end.
const tokenSecret = "kubernetes.io/service-account-token"

// The annotations by which a token Secret says whose it is.
const (
	tokenOf  = "kubernetes.io/service-account.name"
	tokenUID = "kubernetes.io/service-account.uid"
)

// RevokeConfig are the parameters of identity.revoke.
type RevokeConfig struct {
	// Secrets are the names of token Secrets in the account's namespace.
	Secrets []string `yaml:"secrets" json:"secrets,omitempty"`
	// KeepPods leaves the pods, and so the tokens that are bound to them.
	KeepPods bool `yaml:"keep_pods" json:"keep_pods,omitempty"`
}

// maxSecrets bounds the Secrets of one step.
const maxSecrets = 16

func (c RevokeConfig) check() error {
	if len(c.Secrets) > maxSecrets {
		return fmt.Errorf("%s: %d secrets: %d are the most", identityRevoke, len(c.Secrets), maxSecrets)
	}
	for _, name := range c.Secrets {
		if name == "" || strings.ContainsAny(name, "*/ ") {
			return fmt.Errorf("%s: secret %q is no name", identityRevoke, name)
		}
	}
	if c.KeepPods && len(c.Secrets) == 0 {
		return fmt.Errorf("%s: neither pods nor secrets", identityRevoke)
	}
	return nil
}

type revoke struct {
	Deps
	RevokeConfig
}

func (a revoke) list(ctx context.Context, r Request) ([]event.Write, []event.Ref, string, []string, error) {
	if r.Target.IsPod() {
		return a.ofPod(ctx, r)
	}
	summary := fmt.Sprintf("invalidate the tokens of %s", r.Target)
	account, err := readObject(ctx, a.Deps, serviceAccounts, r.Target)
	if err != nil {
		return nil, nil, summary, nil, err
	}
	var writes []event.Write
	var also []event.Ref
	notes := []string{"tokens that were issued for no pod and no Secret (kubectl create token) stay valid until they run out"}
	if !a.Offline {
		notes = append(notes, cachedToken, a.unnamed(account))
	}
	users, err := a.users(ctx, r.Target.Namespace)
	if err != nil {
		return nil, nil, summary, nil, err
	}
	for _, name := range a.Secrets {
		o, err := a.Cluster.Get(ctx, "", "v1", "secrets", r.Target.Namespace, name)
		switch {
		case missing(err):
			notes = append(notes, fmt.Sprintf("Secret %s is not there", name))
		case err != nil:
			return nil, nil, summary, nil, err
		case a.Offline:
		case !holdsToken(o, account):
			notes = append(notes, fmt.Sprintf("Secret %s holds no token of this account and stays", name))
		default:
			writes, also = append(writes, secrets.on("delete", o)), append(also, secrets.ref(o))
			if pods := users[name]; len(pods) > 0 {
				notes = append(notes, fmt.Sprintf("Secret %s is used by pods %s: what they have read of it they keep, it is no good to them any more, and others like them do not start without it", name, shortList(pods)))
			}
			notes = append(notes, fmt.Sprintf("who else uses the token of Secret %s, a pipeline or a script outside, can't be seen here, and is shut out too", name))
		}
	}
	if !a.KeepPods {
		s := subject{kindAccount, r.Target.Namespace, r.Target.Name}
		refs, deletes, err := s.runs(ctx, a.Cluster)
		if err != nil {
			return nil, nil, summary, nil, err
		}
		writes, also = append(writes, deletes...), append(also, refs...)
		notes = append(notes, fmt.Sprintf("%d pods run as it: they are deleted with what they hold, and their controllers make new ones with new tokens", len(refs)))
	}
	if len(writes) > maxElsewhere {
		return nil, nil, summary, nil, refuse(r.Target, "%d objects would be deleted, more than %d", len(writes), maxElsewhere)
	}
	return writes, also, summary, notes, nil
}

// cachedToken is what a real API server does: it asks about a token again after ten
// seconds.
const cachedToken = "an API server takes a token that it saw just before for some seconds more (ten, as it comes)"

// users are the pods that read Secrets, by the names of those.
func (a revoke) users(ctx context.Context, namespace string) (map[string][]string, error) {
	users := map[string][]string{}
	if len(a.Secrets) == 0 || a.Offline {
		return users, nil
	}
	pods, err := a.Cluster.Pods(ctx, namespace, "")
	if err != nil {
		return nil, err
	}
	for i := range pods {
		for name := range secretsOf(&pods[i].Spec) {
			users[name] = append(users[name], pods[i].Name)
		}
	}
	return users, nil
}

// secretsOf are the names of the Secrets that a pod's containers read.
func secretsOf(spec *corev1.PodSpec) map[string]bool {
	names := map[string]bool{}
	for _, v := range spec.Volumes {
		if v.Secret != nil {
			names[v.Secret.SecretName] = true
		}
		if v.Projected != nil {
			for _, s := range v.Projected.Sources {
				if s.Secret != nil {
					names[s.Secret.Name] = true
				}
			}
		}
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				names[e.ValueFrom.SecretKeyRef.Name] = true
			}
		}
		for _, e := range c.EnvFrom {
			if e.SecretRef != nil {
				names[e.SecretRef.Name] = true
			}
		}
	}
	return names
}

// unnamed says what of the account's token Secrets stays: Firebreak may read those
// that the playbook names and look for no others.
func (a revoke) unnamed(account *unstructured.Unstructured) string {
	note := fmt.Sprintf("token Secrets that the step does not name stay, and their tokens stay valid without an end: "+
		"kubectl -n %s get secrets --field-selector type=%s shows which there are", account.GetNamespace(), tokenSecret)
	list, _, _ := unstructured.NestedSlice(account.Object, "secrets")
	var known []string
	for _, s := range list {
		one, _ := s.(map[string]any)
		if name, _ := one["name"].(string); name != "" && !slices.Contains(a.Secrets, name) {
			known = append(known, cut(name, maxText))
		}
	}
	if len(known) > 0 {
		note += "; the account itself names " + shortList(known)
	}
	return note
}

// holdsToken says whether a Secret is of this very account.
func holdsToken(secret, account *unstructured.Unstructured) bool {
	of := secret.GetAnnotations()
	return of[tokenOf] == account.GetName() && of[tokenUID] == string(account.GetUID())
}

func (a revoke) ofPod(ctx context.Context, r Request) ([]event.Write, []event.Ref, string, []string, error) {
	summary := fmt.Sprintf("invalidate the token of %s: delete it", r.Target)
	pod, err := readPod(ctx, a.Deps, r.Target)
	if err != nil {
		return nil, nil, summary, nil, err
	}
	if a.KeepPods || len(a.Secrets) > 0 {
		return nil, nil, summary, nil, refuse(r.Target, "keep_pods and secrets are for a service account")
	}
	w := patchOf("pods", &pod.ObjectMeta)
	w.Verb = "delete"
	return []event.Write{w}, nil, summary, []string{
		"its token is valid until the pod is gone, at the latest after its grace period",
		cachedToken,
		"other pods of the same service account keep theirs",
	}, nil
}
