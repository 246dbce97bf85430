package kube

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/firebreak-io/firebreak/internal/event"
)

// LockoutLabel marks the ConfigMaps in Firebreak's namespace that are
// lockouts; its value says for which of the shipped policies.
const LockoutLabel = event.AnnotationPrefix + "lockout"

// The values of [LockoutLabel]. What the data of each may hold:
//
//   - [LockoutIdentity]: user or group, and extra with value for those that may
//     go on with stronger authentication;
//   - [LockoutPods]: digest, image, registry, serviceAccount or privileged,
//     and namespace.
//
// The annotation firebreak.io/until is when it is over, a time in UTC to the
// second (RFC 3339).
const (
	LockoutIdentity = "identity"
	LockoutPods     = "pods"
)

// LockoutPolicy is the name of the policy and of its binding for a value of
// [LockoutLabel].
func LockoutPolicy(of string) string { return RoleName + "-lockout-" + of }

//go:embed lockout.yaml
var lockouts []byte

// LockoutManifest are the static policies of lockouts and their bindings, as
// YAML for kubectl apply. Who may write ConfigMaps in the account's namespace
// can lock out with them. The protected namespaces, and the identities of their
// service accounts, are never locked out.
func LockoutManifest(to Account, protected []string) ([]byte, error) {
	all := sorted(append(protected[:len(protected):len(protected)], to.Namespace))
	for _, n := range all {
		if problems := content.IsDNS1123Label(n); len(problems) > 0 {
			return nil, fmt.Errorf("lockout manifest: namespace %q: %s", n, problems[0])
		}
	}
	names, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("lockout manifest: %w", err)
	}
	text := bytes.ReplaceAll(lockouts, []byte("values: PROTECTED"), []byte("values: "+string(names)))
	return []byte(strings.NewReplacer("PROTECTED", list(all), "namespace: HOME", "namespace: "+to.Namespace).Replace(string(text))), nil
}
