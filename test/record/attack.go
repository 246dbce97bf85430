package record

import (
	"context"
	"fmt"
	"strings"
)

// Act is one thing that an attacker does.
type Act struct {
	// Name is what recordings call it.
	Name string
	// By is whom the audit log names.
	By string
	// Rules are the shipped rules that must find it.
	Rules []string
	do    func(ctx context.Context, s *Stage) error
	// stopped says that the API server may stop it in the end.
	stopped bool
}

// Who attacks: with a developer's token and with a platform engineer's, each from a place that its
// owner is never at, with a service account's token outside the cluster, and without anything.
var (
	mallory  = Who{User: "mallory", From: "127.0.66.1", Forwarded: "198.51.100.23"}
	stolen   = Who{User: "pat", From: "127.0.66.2", Agent: "curl/8.14.1"}
	stranger = Who{From: "127.0.66.3", Forwarded: "198.51.100.24", Agent: "python-requests/2.32.4"}
	leaked   = Who{User: "shop/cart", From: "127.0.66.4", Forwarded: "198.51.100.25", Agent: "kubectl/v1.29.0 (linux/amd64)"}
	rogue    = Who{User: "system:node:worker-2", From: "127.0.66.5", Agent: "kubectl/v1.29.0 (linux/amd64)"}
)

// Attack is the attack, act by act, in order.
func Attack() []Act {
	var all []Act
	for _, part := range [][]Act{discovery(), credentials(), access(), escalation(), persistence(), evasion(), impact()} {
		all = append(all, part...)
	}
	return all
}

// plain makes an act of calls.
func plain(name string, who Who, rules []string, lines ...string) Act {
	return Act{Name: name, By: who.name(), Rules: rules, do: func(ctx context.Context, s *Stage) error { return s.calls(ctx, who, lines...) }}
}

// name is what the audit log calls them.
func (w Who) name() string {
	space, name := split(w.User)
	switch {
	case w.User == "":
		return "system:anonymous"
	case name != "":
		return "system:serviceaccount:" + space + ":" + name
	}
	return w.User
}

// each writes a line once for each value, in place of %s.
func each(line string, values ...string) []string {
	var lines []string
	for _, v := range values {
		lines = append(lines, strings.ReplaceAll(line, "%s", v))
	}
	return lines
}

// numbers are texts from 1 to n.
func numbers(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(i+1))
	}
	return all
}

func join(parts ...[]string) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// rules names rules.
func rules(names ...string) []string { return names }

func discovery() []Act {
	many := append([]string{"default", "kube-system", "kube-public", "prod", "staging", "vault", "db"}, spaces...)
	return []Act{
		plain("anonymous sweep", stranger, rules("anonymous-sweep", "anonymous-probe"), join(each("0 GET %s", "/", "/api", "/apis", "/version", "/openapi/v2", "/swagger.json", "/apis/apps/v1", "/metrics",
			"/api/v1/namespaces", "/api/v1/pods", "/api/v1/secrets", "/apis/rbac.authorization.k8s.io/v1/clusterroles", "/api/v1/nodes", "/.well-known/openid-configuration"))...),
		plain("rights asked in each namespace", mallory, rules("permissions-swept", "permissions-listed"),
			each(`POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews {"spec":{"namespace":"%s"}}`, many...)...),
		plain("rights asked one by one", leaked, rules("permissions-swept"), each(
			`POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews {"spec":{"resourceAttributes":{"namespace":"shop","verb":"create","resource":"%s"}}}`,
			"pods", "secrets", "deployments", "roles", "rolebindings", "pods/exec", "daemonsets", "cronjobs", "nodes", "configmaps", "services", "serviceaccounts/token")...),
		plain("refused in many namespaces", mallory, rules("refused-burst", "namespaces-probed", "secrets-probed"), join(
			each("0 GET /api/v1/namespaces/%s/secrets", "default", "kube-system", "kube-public", "prod", "staging", "vault", "db", "ops", "monitoring", "ci"),
			each("0 GET /api/v1/namespaces/%s/pods", "default", "kube-system", "kube-public", "prod", "staging", "vault", "db", "ops", "monitoring", "ci"))...),
		plain("refused for many resources", leaked, rules("resources-probed", "service-account-refused", "request-refused-from-internet"), each("403 GET %s", "/api/v1/nodes", "/api/v1/pods", "/api/v1/services", "/api/v1/secrets",
			"/apis/apps/v1/deployments", "/apis/apps/v1/daemonsets", "/apis/batch/v1/jobs", "/apis/rbac.authorization.k8s.io/v1/roles", "/apis/rbac.authorization.k8s.io/v1/clusterroles",
			"/api/v1/persistentvolumes", "/apis/networking.k8s.io/v1/networkpolicies", "/api/v1/namespaces", "/api/v1/serviceaccounts")...),
		plain("tool of attackers", Who{User: "mallory", Agent: "kube-hunter/0.6.8", From: "127.0.66.1"}, rules("attack-tool"), "GET /api/v1/namespaces/shop/pods"),
	}
}

func credentials() []Act {
	return []Act{
		plain("all secrets listed", stolen, rules("secrets-listed-everywhere", "secrets-dumped"), "GET /api/v1/secrets?limit=500", "GET /api/v1/namespaces/shop/secrets/db", "GET /api/v1/namespaces/till/secrets/db"),
		plain("secrets of each namespace listed", stolen, rules("secrets-swept", "secret-read"), each("GET /api/v1/namespaces/%s/secrets", append([]string{"default", "kube-system"}, spaces...)...)...),
		plain("secrets guessed by name", mallory, rules("secret-names-guessed"), each("404 GET /api/v1/namespaces/shop/secrets/%s", "admin", "root", "aws", "gcp", "azure", "registry", "token", "backup", "tls", "ssh")...),
		{Name: "token made and used elsewhere", By: "pat", Rules: rules("token-made-then-used", "service-account-token"), do: tokenElsewhere},
		{Name: "kubelet of a node asks for a token of another's pod", By: rogue.User, Rules: rules("node-credential-by-hand"), do: func(ctx context.Context, s *Stage) error {
			return s.calls(ctx, rogue, each(`0 POST /api/v1/namespaces/%s/token {"spec":{"expirationSeconds":3600}}`, "shop/serviceaccounts/default", "ops/serviceaccounts/gitops", "ops/serviceaccounts/backup", "kube-system/serviceaccounts/cluster-autoscaler", "monitoring/serviceaccounts/prometheus")...)
		}},
		plain("node lists what nodes do not", rogue, rules("node-out-of-role"), "0 GET /api/v1/secrets", "0 GET /api/v1/namespaces/ops/secrets", "0 GET /apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
			`0 POST /api/v1/namespaces/shop/pods {"metadata":{"name":"n"},"spec":{"containers":[{"name":"n","image":"ghcr.io/n:1"}]}}`),
		plain("proxy to a kubelet", stolen, rules("node-proxy"), "0 GET /api/v1/nodes/worker-1/proxy/pods", "0 GET /api/v1/nodes/worker-2/proxy/runningpods/"),
	}
}

// tokenElsewhere makes a token in one place and uses it in another.
func tokenElsewhere(ctx context.Context, s *Stage) error {
	answer, err := s.call(ctx, stolen, `POST /api/v1/namespaces/ops/serviceaccounts/gitops/token {"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","spec":{"expirationSeconds":36000}}`)
	if err != nil {
		return err
	}
	token, err := tokenOf(answer)
	if err != nil {
		return err
	}
	return s.calls(ctx, Who{token: token, From: "127.0.66.9", Agent: "kubectl/v1.29.0 (linux/amd64)"}, "GET /api/v1/namespaces/shop/pods", "GET /api/v1/namespaces/ops/secrets/repository")
}
