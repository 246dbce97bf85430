package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/notify"
)

func init() {
	const tells = "it tells of its target, which may be gone or protected, and touches nothing of it"
	sent := []event.Result{event.ResultSent}
	conform(fixture{
		kind: "notify.event", at: podResource, make: makePod, ready: podReady, apart: tells, result: sent,
		held: func(c *trial, o *unstructured.Unstructured) string {
			list, err := c.admin.EventsV1().Events(c.ns).List(c.ctx(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=firebreak-event"})
			c.no(err, "list events")
			n := 0
			for _, e := range list.Items {
				if e.Regarding.UID == o.GetUID() {
					n++
				}
			}
			if n != 1 {
				return strings.Repeat("an Event, ", n) + "and one is wanted"
			}
			return ""
		},
	})

	conform(fixture{
		kind: "notify.webhook", at: podResource, make: makePod, ready: podReady, apart: tells, result: sent,
		deps: func(c *trial, d *action.Deps) {
			c.to = newReceiver(c, func() any { return new(action.Payload) })
			d.Receivers = notify.Receivers{"ops": c.to.webhook("ops")}
		},
		held: func(c *trial, _ *unstructured.Unstructured) string { return c.to.told() },
	})

	conform(fixture{
		kind: "notify.page", at: podResource, make: makePod, ready: podReady, apart: tells, result: sent,
		config: func(*trial) any { return new(action.PageConfig) },
		deps: func(c *trial, d *action.Deps) {
			c.to = newReceiver(c, func() any { return new(notify.WebhookMessage) })
			d.Receivers = notify.Receivers{"oncall": c.to.webhook("oncall")}
			// The routes ask for the labels of the namespace, which this one has.
			d.Routes = notify.Routes{{Namespaces: map[string]string{"kubernetes.io/metadata.name": c.ns}, To: []string{"oncall"}}}
		},
		held:  func(c *trial, _ *unstructured.Unstructured) string { return c.to.told() },
		rare:  map[string]string{"get namespaces": "without it all routes fit, and the plan says so: nobody is left untold"},
		never: map[string]string{"get namespaces": "it is not refused without: who can't read the labels pages by every route"},
	})
}

// webhook is a receiver of the config that posts to this one.
func (v *receiver) webhook(name string) *notify.Receiver {
	kind, ok := notify.Lookup(notify.WebhookKind)
	if !ok {
		v.c.t.Fatal("no webhooks")
	}
	dir := v.c.t.TempDir()
	v.c.no(os.WriteFile(filepath.Join(dir, "secret"), []byte(receiverSecret), 0o600), "write secret")
	n, err := kind.New(notify.Deps{HTTP: v.server.Client(), Inside: func(string) *http.Client { return v.server.Client() }, Dir: dir},
		&notify.WebhookConfig{URL: v.server.URL, Secret: conf.SecretFile{Path: "secret"}})
	v.c.no(err, "make webhook")
	return &notify.Receiver{Name: name, Kind: notify.WebhookKind, Notifier: n}
}

// told says that nothing came.
func (v *receiver) told() string {
	if v.heard() == 0 {
		return "nobody is told"
	}
	return ""
}

func hexMAC(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
