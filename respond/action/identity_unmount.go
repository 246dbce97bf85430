package action

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const identityUnmount = "identity.unmount"

func init() {
	at := []Resource{serviceAccounts}
	register(Kind{
		Name: identityUnmount,
		Doc: "Sets automountServiceAccountToken of a service account to false: pods that are made from now on get no token by themselves. " +
			"Pods that run keep theirs, and a pod that asks for one in its own spec gets it.",
		Class:      Effect,
		OptIn:      true,
		Reversible: true,
		Targets:    names(at),
		Holds:      at,
		Fields:     []string{"/automountServiceAccountToken"},
		Config:     func() any { return new(UnmountConfig) },
		Needs:      needs(at, "get", "list", "patch"),
		Admits: admits(at, "UPDATE", func(Resource) string {
			return admitSpec("secrets", "imagePullSecrets")
		}),
		New: func(d Deps, config any) (Action, error) {
			_, err := params[UnmountConfig](identityUnmount, config)
			return fields{Deps: d, action: identityUnmount, at: at, want: unmount}, err
		},
	})
}

// UnmountConfig are the parameters of identity.unmount: none.
type UnmountConfig struct{}

func unmount(_ context.Context, r Request, _ *unstructured.Unstructured) ([]field, string, []string, error) {
	return []field{{Path: []string{"automountServiceAccountToken"}, Value: false}}, fmt.Sprintf("give pods of %s no token", r.Target),
		[]string{
			"pods that run keep the token that they have: see identity.revoke",
			"a pod that sets automountServiceAccountToken in its own spec gets a token all the same",
		}, nil
}
