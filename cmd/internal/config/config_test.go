package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/ingest"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// load reads a config with the given spec, which begins in line 5.
func load(t *testing.T, spec string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := "apiVersion: firebreak.io/v1alpha1\nkind: Config\nmetadata: {name: main}\nspec:\n" + spec
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestMistakes(t *testing.T) {
	tests := map[string]struct {
		spec string
		want []string
	}{
		"unknown key":              {"  clustr: a\n", []string{`5:3: unknown key "clustr", did you mean "cluster"?`}},
		"unknown key below":        {"  listen: {addresss: x}\n", []string{`5:12: unknown key "addresss", did you mean "address"?`}},
		"no TLS off loopback":      {"  listen: {address: '0.0.0.0:8443'}\n", []string{`5:21: 0.0.0.0:8443 is not on loopback: TLS is needed`}},
		"no TLS on all":            {"  listen: {address: ':8443'}\n", []string{`is not on loopback`}},
		"no TLS by name":           {"  listen: {address: 'firebreak:8443'}\n", []string{`is not on loopback`}},
		"a key alone":              {"  listen: {tls: {key: k}}\n", []string{`a certificate needs its key`}},
		"a certificate alone":      {"  listen: {tls: {cert: c}}\n", []string{`a certificate needs its key`}},
		"a client CA alone":        {"  listen: {tls: {client_ca: c}}\n", []string{`client_ca needs TLS: set cert and key`}},
		"names without a CA":       {"  sources: {audit: {names: [kube-apiserver]}}\n", []string{`5:20: source audit: names are those of client certificates: set listen.tls.client_ca`}},
		"NATS of nobody else":      {"  sources: {falco-nats: {}}\n", []string{`5:25: source falco-nats: nobody else can publish on the embedded NATS: set nats.url`}},
		"both of one":              {"  sources: {audit: {token: {file: t}, require: both}}\n", []string{`require is both: set names, and one of token, tokens and path`}},
		"a token in the file":      {"  sources: {audit: {tokens: [{file: a}, hunter2]}}\n", []string{`a secret is given as the file`}},
		"a limit of nothing":       {"  sources: {audit: {token: {file: t}, limit: {burst: 10}}}\n", []string{`limit has a burst, and no events_per_second`}},
		"all may be unread":        {"  unread: {limit: 1}\n", []string{`5:11: limit is 1, not between 0 and 0.95`}},
		"a share of nobody":        {"  unread: {shares: {audit: 0.5}}\n", []string{`shares.audit is of no source that is configured`}},
		"no port":                  {"  listen: {address: localhost, health: here}\n", []string{`"localhost" is not HOST:PORT`, `"here" is not HOST:PORT`}},
		"unknown source":           {"  sources: {falko: {}}\n", []string{`unknown source "falko", did you mean "falco"?`}},
		"unknown key of a source":  {"  sources: {falco: {tokn: {file: x}}}\n", []string{`unknown key "tokn", did you mean "token"?`}},
		"bad mode":                 {"  respond: {mode: auto}\n", []string{`5:19: "auto" is none of observe, ask, act`}},
		"empty mode":               {"  respond: {mode: ''}\n", []string{`"" is none of observe, ask, act`}},
		"a webhook in the clear":   {"  webhooks: [{name: chat, url: 'http://chat.example'}]\n", []string{`want an https URL`}},
		"a webhook without host":   {"  webhooks: [{name: chat, url: 'https://'}]\n", []string{`want an https URL`}},
		"another scheme":           {"  webhooks: [{name: chat, url: 'file:///etc/passwd', allow_private: true}]\n", []string{`want an https URL`}},
		"a webhook twice":          {"  webhooks: [{name: a, url: 'https://a'}, {name: a, url: 'https://b'}]\n", []string{`"a" is no name, or is there twice`}},
		"a webhook of no name":     {"  webhooks: [{name: A B, url: 'https://a'}]\n", []string{`"A B" is no name`}},
		"a webhook of no URL":      {"  webhooks: [{name: a}]\n", []string{`required key "url" is missing`}},
		"a secret in the file":     {"  webhooks: [{name: a, url: 'https://a', secret: hunter2}]\n", []string{`5:`}},
		"no credential":            {"  sources: {falco: {}}\n", []string{`5:20: source falco: has no credential: set token`}},
		"no body":                  {"  sources: {audit: {token: {file: t}, max_body: 0}}\n", []string{`max_body is not above zero`}},
		"a channel by name":        {"  slack: {teams: [T1], channel: '#sec', token: {file: t}, app_token: {file: a}}\n", []string{`5:`, `channel: "#sec" is no id of a channel`}},
		"no way for clicks":        {"  slack: {teams: [T1], channel: C1, token: {file: t}}\n", []string{`one of app_token (Socket Mode) and signing_secret`}},
		"evidence in two places":   {"  respond: {evidence: {directory: d, bucket: {url: 'https://s', name: b, access_key: {file: a}, secret_key: {file: s}}}}\n", []string{`in a directory or in a bucket, not in both`}},
		"a bucket in the clear":    {"  respond: {evidence: {bucket: {url: 'http://s', name: b, access_key: {file: a}, secret_key: {file: s}}}}\n", []string{`want an https URL of a host`}},
		"no log directory":         {"  sources: {log: {directory: ''}}\n", []string{`no directory to read`}},
		"a log that is never read": {"  sources: {log: {poll: 0s}}\n", []string{`poll is not above zero`}},
		"no log file":              {"  sources: {log: {max_files: -1}}\n", []string{`max_files is not above zero`}},
		"a long wait":              {"  enrich: {wait: 1m}\n", []string{`5:18: 1m0s is not 0 to 5s`}},
		"a racing heart":           {"  heartbeat: {every: 1ms}\n", []string{`1ms is less than a second`}},
		"no time to come back":     {"  heartbeat: {every: 10s, within: 15s}\n", []string{`15s is less than two beats of 10s`}},
		"no data":                  {"  data: ''\n", []string{`5:9: no directory`}},
		"negative requests":        {"  kubernetes: {qps: -1}\n", []string{`qps and burst are not negative`}},
		"no NATS":                  {"  nats: {url: 'localhost:4222'}\n", []string{`5:15: want nats://HOST:PORT`}},
		"a password of NATS":       {"  nats: {url: 'nats://a:4222,nats://me:hunter2@b:4222'}\n", []string{`5:15: a secret is given as the file`}},
		"a password of OTLP":       {"  telemetry: {otlp: 'http://me:hunter2@b'}\n", []string{`5:21: a secret can't stand`}},
		"negative replicas":        {"  nats: {replicas: -3}\n", []string{`-3 is not 0 to 5`}},
		"embedded replicas":        {"  nats: {replicas: 3}\n", []string{`the embedded server has one`}},
		"negative bytes":           {"  nats: {max_bytes: -1}\n", []string{`-1 is negative`}},
		"a NATS key alone":         {"  nats: {key: k}\n", []string{`a certificate needs its key`}},
		"bad level":                {"  telemetry: {log: {level: loud}}\n", []string{`"loud" is none of debug, info, warn, error`}},
		"bad format":               {"  telemetry: {log: {format: xml}}\n", []string{`"xml" is none of json, text`}},
		"no collector":             {"  telemetry: {otlp: 'collector:4318'}\n", []string{`want http://HOST:PORT`}},
		"all at once":              {"  respond: {mode: x}\n  sources: {y: {}}\n  listen: {address: ':1'}\n", []string{`is none of`, `unknown source`, `TLS is needed`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, tt.spec)
			if err == nil {
				t.Fatal("was loaded")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("says\n%v\nwant %q in it", err, want)
				}
			}
			for _, p := range conf.Problems(err) {
				if p.Line < 4 || !strings.HasSuffix(p.File, "config.yaml") {
					t.Errorf("the problem has no place: %+v", p)
				}
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	c, err := load(t, "  cluster: lab\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Respond.Mode != event.ModeObserve || c.Listen.Address != "127.0.0.1:8443" || c.Listen.Health != "127.0.0.1:8081" ||
		c.Data != "/var/lib/firebreak" || len(c.Decoded) != 0 || c.NoShipped {
		t.Errorf("config is %+v", c)
	}
}

func TestLoopbackNeedsNoTLS(t *testing.T) {
	for _, address := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"} {
		if _, err := load(t, "  listen: {address: '"+address+"'}\n"); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := load(t, "  listen: {address: ':8443', tls: {cert: c, key: k}}\n"); err != nil {
		t.Errorf("with TLS: %v", err)
	}
}

func TestPathsBeginAtTheFile(t *testing.T) {
	c, err := load(t, "  data: state\n  listen: {tls: {cert: tls.crt, key: /etc/tls.key}}\n")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		c.Data: filepath.Join(c.Dir, "state"), c.Listen.TLS.Cert: filepath.Join(c.Dir, "tls.crt"), c.Listen.TLS.Key: "/etc/tls.key", "": "",
	} {
		if got := c.Path(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}

func TestFilesThatAreNoConfig(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"empty":   "",
		"another": "apiVersion: firebreak.io/v1alpha1\nkind: Playbook\nmetadata: {name: a}\nspec: {}\n",
		"two":     "apiVersion: firebreak.io/v1alpha1\nkind: Config\nmetadata: {name: a}\nspec: {cluster: a}\n---\napiVersion: firebreak.io/v1alpha1\nkind: Config\nmetadata: {name: b}\nspec: {cluster: b}\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s gave %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestSourcesAndWebhooks(t *testing.T) {
	c, err := load(t, "  sources: {falco: {token: {file: token}}, log: {poll: 500ms}}\n  nats: {url: 'tls://a:4222,nats://b:4222', replicas: 3, credentials: {file: c}}\n  webhooks: [{name: chat, url: 'http://10.0.0.1', allow_private: true, secret: {file: s}}]\n")
	if err != nil {
		t.Fatal(err)
	}
	if log, ok := c.Decoded["log"].(*ingest.LogConfig); !ok || log.Poll.Std() != 500*time.Millisecond {
		t.Errorf("log is %+v", c.Decoded["log"])
	}
	if c.Decoded["falco"] == nil || c.Webhooks[0].Secret.IsZero() {
		t.Errorf("config is %+v", c)
	}
}

func TestNotify(t *testing.T) {
	const mail = "{host: mail.example.com, from: a@example.com, to: [b@example.com]}"
	c, err := load(t, `  webhooks: [{name: chat, url: 'https://chat.example.com/'}]
  notify:
    link: https://firebreak.example.com/incidents/
    receivers:
      - {name: oncall, kind: pagerduty, with: {routing_key: {file: key}}, rate: 30, expire: 12h}
      - {name: soc, kind: email, with: `+mail+`}
    routes:
      - {priority: critical, namespaces: {team: pay}, hours: {days: [mon], from: "08:00", to: "18:00", zone: Europe/Berlin}, to: [oncall], escalate: [{after: 10m, to: [soc, chat]}]}
      - {to: [soc]}
`)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Notify.Receivers[0]
	if pd, ok := r.Decoded.(*notify.PagerDutyConfig); !ok || pd.URL == "" || pd.RoutingKey.IsZero() || r.Limits().Expire != 12*time.Hour || r.Limits().Rate != 30 {
		t.Errorf("%+v", r)
	}
	for text, want := range map[string]string{
		"receivers: [{name: a, kind: pigeon}]":                                   `"pigeon" is none of alertmanager, email, opsgenie, pagerduty, webhook`,
		"receivers: [{name: a, kind: kubernetes-event}]":                         "is none of",
		"receivers: [{name: kubernetes-event, kind: email, with: " + mail + "}]": "is there twice",
		"receivers: [{name: A, kind: email, with: " + mail + "}]":                "is no name",
		"receivers: [{name: a, kind: email, with: {host: h}}]":                   "from",
		"receivers: [{name: a, kind: pagerduty, with: {routing_key: abc}}]":      "a secret is given as the file",
		"receivers: [{name: a, kind: email, timeout: 1h, with: " + mail + "}]":   "timeout: 1h0m0s is not over 0",
		"routes: [{to: [a]}]":       `there is no receiver "a"`,
		"routes: [{}]":              "to",
		"link: http://example.com/": "want an https URL",
	} {
		if _, err := load(t, "  notify: {"+text+"}\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
