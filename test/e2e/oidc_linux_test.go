package e2e

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/action"
)

// provider is an OpenID Connect provider with one key.
type provider struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer any
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			answer = map[string]any{
				"issuer": p.URL, "jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
				"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			}
		case "/keys":
			answer = map[string]any{"keys": []any{map[string]any{
				"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
				"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
			}}}
		default:
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(p.Close)
	return p
}

// token is an ID token of somebody, who logged in by these methods.
func (p *provider) token(t *testing.T, email string, groups, methods []string) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(map[string]any{"alg": "RS256", "kid": "one", "typ": "JWT"}) + "." + part(map[string]any{
		"iss": p.URL, "aud": "kubernetes", "sub": email, "email": email, "groups": groups, "amr": methods,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	})
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// config is the API server's AuthenticationConfiguration for the provider: names
// and groups have a prefix, and the methods become extra.
func (p *provider) config(t *testing.T) string {
	t.Helper()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
	text := fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: %s
    audiences: [kubernetes]
    certificateAuthority: |
      %s
  claimMappings:
    username: {claim: email, prefix: "oidc:"}
    groups: {claim: groups, prefix: "oidc:"}
    extra:
    - {key: example.com/amr, valueExpression: claims.amr}
`, p.URL, strings.ReplaceAll(strings.TrimSpace(string(authority)), "\n", "\n      "))
	path := filepath.Join(t.TempDir(), "authentication.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDenyOfOpenID: identity.deny of a person, and of a group, of an OpenID
// Connect provider binds whoever has such a token, and nobody else; where
// stronger authentication is what is asked, the provider's word for it counts.
func TestDenyOfOpenID(t *testing.T) {
	lockouts(t)
	client := admin(t)
	ns := namespace(t, client)
	people := newProvider(t)
	server := secondServer(t, "--authentication-config="+people.config(t))
	b := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "openid-" + ns}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects: []rbacv1.Subject{{Kind: "Group", APIGroup: rbacv1.GroupName, Name: "oidc:staff"}},
	}
	if _, err := client.RbacV1().ClusterRoleBindings().Create(t.Context(), b, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	unbind(t, b.Name, client.RbacV1().ClusterRoleBindings().Delete)
	login := func(email string, groups, methods []string) kubernetes.Interface {
		c := rest.CopyConfig(server)
		c.BearerToken = people.token(t, email, groups, methods)
		k, err := kubernetes.NewForConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	both := []string{"staff", "contractors"}
	ann, bob := login("ann@example.com", []string{"staff"}, []string{"pwd"}), login("bob@example.com", both, []string{"pwd"})
	strong := login("ann@example.com", []string{"staff"}, []string{"pwd", "mfa"})
	write := func(ctx context.Context, k kubernetes.Interface) error {
		_, err := k.CoreV1().ConfigMaps(ns).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	for _, k := range []kubernetes.Interface{ann, bob, strong} {
		eventually(t, "the rights of who logged in", func(ctx context.Context) error { return write(ctx, k) })
	}
	root, err := kube.New(kube.Options{Kubeconfig: plane(t).Kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config    *action.IdentityDenyConfig
		target    event.Ref
		out, lets []kubernetes.Interface
	}{
		"a person":              {&action.IdentityDenyConfig{}, event.UserRef("oidc:ann@example.com"), []kubernetes.Interface{ann, strong}, []kubernetes.Interface{bob}},
		"a group":               {&action.IdentityDenyConfig{}, event.GroupRef("oidc:contractors"), []kubernetes.Interface{bob}, []kubernetes.Interface{ann, strong}},
		"stronger, of a person": {&action.IdentityDenyConfig{User: "oidc:ann@example.com", UnlessExtra: "example.com/amr", UnlessValue: "mfa"}, event.UserRef("x"), []kubernetes.Interface{ann}, []kubernetes.Interface{strong, bob}},
		"stronger, of a group":  {&action.IdentityDenyConfig{Group: "oidc:staff", UnlessExtra: "example.com/amr", UnlessValue: "mfa"}, event.UserRef("x"), []kubernetes.Interface{ann, bob}, []kubernetes.Interface{strong}},
		"without the prefix":    {&action.IdentityDenyConfig{User: "ann@example.com"}, event.UserRef("x"), nil, []kubernetes.Interface{ann, bob, strong}},
	} {
		t.Run(name, func(t *testing.T) {
			k, _ := action.Lookup("identity.deny")
			a, err := k.New(action.Deps{Cluster: root, Home: lockoutHome}, c.config)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now().UTC()
			r := action.Request{Key: event.HashID("openid", ns, name) + "/deny", Target: c.target, Now: now, Until: now.Add(time.Hour)}
			_, done := do(t, a, r)
			for _, k := range c.out {
				eventually(t, "the lockout", func(ctx context.Context) error { return keptOut(write(ctx, k), "firebreak:") })
			}
			for _, k := range c.lets {
				if err := write(t.Context(), k); err != nil {
					t.Errorf("somebody else: %v", err)
				}
			}
			undo(t, a, r, done, event.AtEndRestore)
			for _, k := range c.out {
				eventually(t, "the end", func(ctx context.Context) error { return write(ctx, k) })
			}
		})
	}
}
