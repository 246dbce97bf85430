package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
)

// TestTargetsOfPlaybooks: a finding is about a pod, and because of somebody at an
// address; the playbook's step is about what the pod belongs to, is made of and
// talks to, or about who did it. Each goes all the way and back.
func TestTargetsOfPlaybooks(t *testing.T) {
	plane(t)
	// Each row is one action, what its step is about, and the target that this
	// gives, in which NS stands for the namespace.
	rows := []struct{ kind, target, want string }{
		{"workload.scale", `workload(target)`, "deployments/NS/web"},
		{"network.quarantine", `namespace(target.namespace)`, "namespaces/web"},
		{"network.deny", `namespace(target.namespace)`, "namespaces/web"},
		{"identity.unmount", `service_account(target)`, "serviceaccounts/NS/NS"},
		{"identity.unbind", `service_account(target)`, "serviceaccounts/NS/NS"},
		{"identity.deny", `identity(finding.actor.user)`, "users/ann@example.com"},
		{"rate.api", `identity(finding.actor.user)`, "users/ann@example.com"},
		{"admission.deny", `image(target.image)`, "images/registry.example/web:1"},
		{"function.webhook", `address(finding.actor.address)`, "addresses/192.0.2.7"},
		{"rate.http", `object("ingresses.networking.k8s.io", target.namespace, "web")`, "ingresses/NS/web"},
		{"service.authenticate", `object("services", target.namespace, "web")`, "services/NS/web"},
	}
	for _, row := range rows {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			k, _ := action.Lookup(row.kind)
			x := fixtures[row.kind]
			if row.kind == "admission.deny" {
				x.config = func(*trial) any { return &action.KeepOutConfig{} } // the target is what is kept out
			}
			told := make(chan string, 1)
			if row.kind == "function.webhook" {
				x.deps = func(c *trial, d *action.Deps) {
					server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						select {
						case told <- string(body):
						default:
						}
					}))
					c.t.Cleanup(server.Close)
					d.Functions = map[string]action.Function{"block-at-the-edge": {URL: server.URL, Client: server.Client()}}
				}
			}
			p := newPlay(t, k, x, row.target)
			pod := p.town()
			subject := event.Ref{Resource: "pods", Namespace: p.ns, Name: pod.Name, Image: "registry.example/web:1"}
			run := p.find(subject, event.Actor{User: "ann@example.com", Address: "192.0.2.7"})
			if !k.Reversible {
				p.done(run, event.RunClosed)
				if body := <-told; !strings.Contains(body, "192.0.2.7") {
					t.Errorf("the function was told %s", body)
				}
				return
			}
			run = p.done(run, event.RunHolding)
			s := p.step(run)
			want := strings.NewReplacer("NS", p.ns, "namespaces/web", "namespaces/"+p.ns).Replace(row.want)
			if s.Target == nil || s.Target.String() != want || s.Target.UID == "" {
				t.Errorf("the step is about %+v, want %s", s.Target, want)
			}
			p.say(event.Input{Run: run.ID, Kind: event.InputUndo, User: "bob", Reason: "over"})
			p.until(run, event.RunClosed)
		})
	}
}

// town makes a Deployment of an own account behind a Service and an Ingress, and
// gives its pod.
func (p *play) town() corev1.Pod {
	p.t.Helper()
	makeBound(p.trial, p.ns)
	if p.kind.Name == "rate.http" {
		makeIngress(p.trial, "web")
	}
	webService(p.t, p.admin, p.ns)
	d := plainDeployment("web")
	d.Spec.Template.Spec.ServiceAccountName = p.ns
	if _, err := p.admin.AppsV1().Deployments(p.ns).Create(p.ctx(), &d, metav1.CreateOptions{}); err != nil {
		p.t.Fatal(err)
	}
	return ready(p.t, p.admin, p.ns, "app=web", 1)[0]
}
