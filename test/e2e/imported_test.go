package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/test/command"
	"github.com/firebreak-io/firebreak/test/mailbox"
)

// importedPolicy has each action of the format, importedTalon rules with
// different actionners.
const (
	importedPolicy = `apiVersion: v1
kind: ConfigMap
metadata: {name: security-response-policy, namespace: monitoring}
data:
  policy.yaml: |
    response_rules:
      - condition: "anomaly_score < -0.5"
        actions:
          - rate_limit: {requests_per_minute: 10}
          - additional_auth: {method: mfa}
          - alert: {severity: high, channels: [slack, email]}
      - condition: "failed_auths > 5"
        actions:
          - ip_block: {duration: 1h}
          - alert: {severity: medium, channels: [slack]}
      - condition: "container_escape_detected"
        actions:
          - pod_quarantine
          - node_isolation
          - incident_response: {priority: critical}
`
	importedTalon = `- action: Mark the pod
  actionner: kubernetes:label
  parameters: {labels: {suspicious: "true"}}
- rule: label
  match: {rules: [Talon label]}
  actions: [{action: Mark the pod}]
- rule: isolate
  match: {rules: [Talon isolate]}
  actions: [{action: Cut the pod off, actionner: kubernetes:networkpolicy}]
- rule: cordon
  match: {rules: [Talon cordon], priority: ">=Warning"}
  actions: [{action: Close the node, actionner: kubernetes:cordon}]
- rule: annotate
  match: {rules: [Talon annotate]}
  actions:
    - {action: Say it, actionner: kubernetes:annotation, parameters: {annotations: {"example.com/seen": "a ${finding.title} {{.}}"}}}
    - {action: Keep the logs, actionner: kubernetes:log, parameters: {tail_lines: 10}}
  notifiers: [k8sevents]
- rule: end
  match: {rules: [Talon end]}
  actions: [{action: End it, actionner: kubernetes:terminate, parameters: {grace_period_seconds: 1}}]
`
)

// imported is a Firebreak that runs what firebreak import made.
type imported struct {
	*loop
	root   *kube.Client
	people []string
	box    *mailbox.Box
	hooks  *hooks
}

// hooks is a webhook that takes everything.
type hooks struct {
	mu  sync.Mutex
	all []string
}

// ServeHTTP takes a message.
func (h *hooks) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, string(body))
}

func (h *hooks) heard(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.all, func(body string) bool { return strings.Contains(body, text) })
}

// TestImported: what firebreak import makes of a policy with every action, and of
// Talon's rules, is approved and carried out on the real control plane by an
// account with just the rights that firebreak rbac prints for it, behind the
// admission policy that it prints; and undone, with all objects as before.
func TestImported(t *testing.T) {
	client := admin(t)
	m := &imported{
		loop: &loop{process: prepare(t, "act", ""), admin: client, plane: plane(t)},
		root: definitions(t, "envoyfilters.networking.istio.io", "requestauthentications.security.istio.io", "authorizationpolicies.security.istio.io"),
		box:  mailbox.Start(t, true), hooks: &hooks{},
	}
	m.talk()
	m.configure()
	m.allow("imported")
	for range 2 {
		m.people = append(m.people, approver(t, client))
	}
	m.start()
	t.Cleanup(m.stop)
	t.Run("policy: rate limit, stronger authentication, alert", func(t *testing.T) { m.as(t).anomaly() })
	t.Run("policy: address blocked", func(t *testing.T) { m.as(t).logins() })
	t.Run("policy: quarantine, node, incident response", func(t *testing.T) { m.as(t).escape() })
	t.Run("talon", func(t *testing.T) { m.as(t).talon() })
	for _, refused := range m.chat.Refused() {
		t.Errorf("Slack refused %s", refused)
	}
}

// as lets a subtest's failures be its own.
func (m *imported) as(t *testing.T) *imported {
	return &imported{loop: m.on(t), root: m.root, people: m.people, box: m.box, hooks: m.hooks}
}

// configure imports by the command, and runs what it made as it is.
func (m *imported) configure() {
	m.write("mail-password", mailbox.Password)
	server := httptest.NewServer(m.hooks)
	m.t.Cleanup(server.Close)
	out := filepath.Join(m.dir, "imported")
	m.run("import", "policy", m.write("policy.yaml", importedPolicy), "--out", out, "--issuer", "https://login.example", "--jwks", "https://login.example/keys")
	m.run("import", "talon", m.write("talon.yaml", importedTalon), "--out", out)
	rules, err := filepath.Abs("../../detect/rules")
	if err != nil {
		m.t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(m.dir, "config.yaml"))
	if err != nil {
		m.t.Fatal(err)
	}
	text := strings.NewReplacer(
		"no_shipped: false", "no_shipped: true", "rules: [models.yaml]", fmt.Sprintf("rules: [%q, imported]", rules), "playbooks: [playbooks.yaml]", "playbooks: [imported]",
		"    mode: act\n", "    mode: act\n    evidence: {directory: evidence}\n",
	).Replace(string(config))
	m.write("config.yaml", text+fmt.Sprintf(`  webhooks:
    - {name: incident-response, url: %q, allow_private: true}
  notify:
    receivers:
      - name: email
        kind: email
        with: {host: 127.0.0.1, port: %d, tls: implicit, ca: %q, user: %s, password: {file: mail-password}, from: fire@example.com, to: [soc@example.com], allow_private: true}
`, server.URL, m.box.Port, m.box.CA, mailbox.User))
	m.run("check", filepath.Join(m.dir, "config.yaml"))
}

// run runs a command that asks no service, and gives its output.
func (m *imported) run(args ...string) []byte {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), command.Path(m.t), args...)
	cmd.Dir = m.dir
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		m.t.Fatalf("%v: %v\n%s%s", args, err, out, exit.Stderr)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

// allow makes Firebreak's account with what firebreak rbac prints for playbooks.
func (m *imported) allow(playbooks string) {
	ctx, home := m.t.Context(), namespace(m.t, m.admin)
	account := kube.Account{Namespace: home, Name: "firebreak"}
	if _, err := m.admin.CoreV1().ServiceAccounts(home).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account.Name}}, metav1.CreateOptions{}); err != nil {
		m.t.Fatal(err)
	}
	mine := []string{"--namespace", home, "--no-shipped", "--playbooks", playbooks}
	role := m.run(append([]string{"rbac"}, mine...)...)
	bind(m.t, m.admin, strings.ReplaceAll(string(role), "name: "+kube.RoleName+"\n", "name: "+home+"\n"), account)
	(&fenced{t: m.t, admin: m.admin}).create(m.run(append([]string{"rbac", "--admission"}, mine...)...))
	token, err := m.admin.CoreV1().ServiceAccounts(home).CreateToken(ctx, account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	m.kubeconfig(m.plane.Server, m.plane.CA, token.Status.Token)
}

// approver is the token of an account that may start, approve and undo.
func approver(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	return tokenFor(t, client,
		rbacv1.PolicyRule{APIGroups: []string{"firebreak.io"}, Resources: []string{"runs", "incidents"}, Verbs: []string{"get", "list"}},
		rbacv1.PolicyRule{APIGroups: []string{"firebreak.io"}, Resources: []string{"playbooks"}, Verbs: []string{"start", "approve", "undo"}},
	)
}
