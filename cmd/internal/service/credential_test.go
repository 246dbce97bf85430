package service

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/test/wait"
)

const (
	auditEvent = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","verb":"get",` +
		`"requestURI":"/api","user":{"username":"ann"},"requestReceivedTimestamp":"2026-01-02T03:04:05Z","stageTimestamp":"2026-01-02T03:04:05Z"}`
	logRecord  = `[{"log":"hello","kubernetes":{"namespace_name":"shop","pod_name":"web-1","container_name":"web"}}]`
	oldToken   = "an-old-token-of-the-audit-log"
	newToken   = "a-new-token-of-the-audit-log"
	falcoPath  = "falco-secret-path-0123"
	auditToken = oldToken
)

// guarded is a service on loopback TLS with every kind of credential.
type guarded struct {
	*process
	dir    string
	ca     *authority // of the server
	people *authority // of its clients
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{dir: t.TempDir(), ca: newAuthority(t, "server CA"), people: newAuthority(t, "client CA")}
	g.process = &process{t: t, log: &safeBuffer{}, api: port(t), health: port(t)}
	g.ca.server(g.dir)
	g.people.file(filepath.Join(g.dir, "clients.crt"))
	g.put("falco-token", secret)
	g.put("falco-path", falcoPath)
	g.put("audit-tokens", "# both are good while clients change\n"+credential.HashOf(oldToken).String()+"  # old\n"+credential.HashOf(newToken).String()+"\n")
	g.put("log-token", secret+"-of-logs")
	g.put("config.yaml", fmt.Sprintf(`apiVersion: firebreak.io/v1alpha1
kind: Config
metadata: {name: test}
spec:
  data: data
  kubernetes: {disabled: true}
  listen: {address: %q, health: %q, tls: {cert: tls.crt, key: tls.key, client_ca: clients.crt}}
  no_shipped: true
  sources:
    falco: {token: {file: falco-token}, path: {file: falco-path}, names: [falco]}
    audit: {tokens: {file: audit-tokens}, names: ["spiffe://cluster/kube-apiserver"]}
    log-http: {token: {file: log-token}, names: [fluent-bit], require: both}
`, g.api, g.health))
	var err error
	if g.config, err = config.Load(filepath.Join(g.dir, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *guarded) put(name, text string) {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		g.t.Fatal(err)
	}
}

// send posts over a connection of its own. The status is 0 when TLS failed.
func (g *guarded) send(cert *tls.Certificate, path, token, body string) int {
	g.t.Helper()
	t := &tls.Config{RootCAs: g.ca.pool(), MinVersion: tls.VersionTLS12}
	if cert != nil {
		// Shown whatever the server says it wants to see.
		t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	transport := &http.Transport{TLSClientConfig: t, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	return g.over(transport, path, token, body)
}

// over posts over a transport.
func (g *guarded) over(transport *http.Transport, path, token, body string) int {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), http.MethodPost, "https://"+g.api+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		g.t.Error(err)
	}
	return resp.StatusCode
}

// TestCredentials is the whole matrix: source, certificate and secret, over
// real handshakes.
func TestCredentials(t *testing.T) {
	g := newGuarded(t)
	g.start()
	const uri = "spiffe://cluster/kube-apiserver"
	certs := map[string]*tls.Certificate{
		"none": nil, "falco": g.people.client("falco", "", time.Hour), "apiserver": g.people.client("kube-apiserver", uri, time.Hour),
		"fluent": g.people.client("fluent-bit", "", time.Hour), "stranger": g.people.client("stranger", "", time.Hour),
		"expired": g.people.client("falco", uri, -time.Hour), "other CA": newAuthority(t, "another").client("falco", uri, time.Hour),
	}
	type way struct{ cert, path, token string }
	for _, source := range []struct {
		name, body string
		good       []way
	}{
		{"falco", alert, []way{
			{"none", "", secret}, {"none", falcoPath, ""}, {"falco", "", ""}, {"stranger", "", secret}, {"stranger", falcoPath, ""},
			{"falco", "", "wrong"}, {"falco", "", secret}, {"falco", falcoPath, ""}, {"apiserver", "", secret}, {"fluent", "", secret},
			{"apiserver", falcoPath, ""}, {"fluent", falcoPath, ""}, {"falco", "wrong-path-wrong-path", ""},
			{"falco", "", auditToken}, {"falco", "", newToken}, {"falco", "", secret + "-of-logs"},
		}},
		{"audit", auditEvent, []way{
			{"none", "", oldToken}, {"none", "", newToken}, {"apiserver", "", ""}, {"apiserver", "", "wrong"}, {"apiserver", "", secret},
			{"apiserver", "", secret + "-of-logs"}, {"apiserver", falcoPath, ""}, {"apiserver", "wrong-path-wrong-path", ""},
			{"apiserver", "", oldToken}, {"apiserver", "", newToken}, {"falco", "", oldToken}, {"falco", "", newToken},
			{"fluent", "", oldToken}, {"fluent", "", newToken}, {"stranger", "", oldToken}, {"stranger", "", newToken},
		}},
		{"log-http", logRecord, []way{{"fluent", "", secret + "-of-logs"}}},
	} {
		for name, cert := range certs {
			for _, path := range []string{"", falcoPath, "wrong-path-wrong-path"} {
				for _, token := range []string{"", "wrong", secret, oldToken, newToken, secret + "-of-logs"} {
					if path != "" && token != "" {
						continue
					}
					want := http.StatusUnauthorized
					switch {
					case name == "expired" || name == "other CA":
						want = 0
					case slices.Contains(source.good, way{name, path, token}):
						want = http.StatusOK
					}
					at := "/v1/" + source.name
					if path != "" {
						at += "/" + path
					}
					if got := g.send(cert, at, token, source.body); got != want {
						t.Errorf("%s with certificate %s, path %q and token %q: status %d, want %d", source.name, name, path, token, got, want)
					}
				}
			}
		}
	}
	// What people ask needs no certificate, and no certificate opens it.
	for _, cert := range []string{"none", "falco"} {
		if got := g.send(certs[cert], "/v1/pause", "", "{}"); got != http.StatusUnauthorized && got != http.StatusServiceUnavailable {
			t.Errorf("the API of people with certificate %s: status %d", cert, got)
		}
	}
	if log := g.log.String(); strings.Contains(log, secret) || strings.Contains(log, falcoPath) || strings.Contains(log, oldToken) {
		t.Error("a secret is in the log")
	}
}

// TestHTTP2: the same holds over HTTP/2, which gRPC and API servers speak, also
// with many requests at a time on one connection.
func TestHTTP2(t *testing.T) {
	g := newGuarded(t)
	g.start()
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
		RootCAs: g.ca.pool(), MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*g.people.client("falco", "", time.Hour)},
	}}
	defer transport.CloseIdleConnections()
	// With a connection there, nobody dials one of its own.
	if got := g.over(transport, "/v1/falco", "", alert); got != 200 {
		t.Fatalf("status %d", got)
	}
	var group sync.WaitGroup
	for i := range maxStreams / 2 {
		group.Go(func() {
			path, want := "/v1/falco", http.StatusOK
			if i%8 == 0 {
				path, want = "/v1/audit", http.StatusUnauthorized
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+g.api+path, strings.NewReader(alert))
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.ProtoMajor != 2 || resp.StatusCode != want {
				t.Errorf("%s: HTTP/%d, status %d, want %d", path, resp.ProtoMajor, resp.StatusCode, want)
			}
		})
	}
	group.Wait()
}

// TestRotation: what is taken away is refused and what is added is let in,
// without a restart; a file that is no good changes nothing.
func TestRotation(t *testing.T) {
	g := newGuarded(t)
	g.start()
	falco := g.people.client("falco", "", time.Hour)
	status := func(want int, what string, ask func() int) {
		t.Helper()
		wait.Until(g.t, what, func() bool { return ask() == want })
	}
	old := func() int { return g.send(nil, "/v1/audit", oldToken, auditEvent) }
	status(200, "the old token is good", old)
	g.put("audit-tokens", credential.HashOf(newToken).String())
	status(401, "the old token is refused", old)
	g.put("audit-tokens", "sha256:not hexadecimal")
	status(200, "the new token is good", func() int { return g.send(nil, "/v1/audit", newToken, auditEvent) })
	wait.Until(g.t, "the bad file is in the log", func() bool { return strings.Contains(g.log.String(), "a changed file can't be used") || old() == 0 })
	status(200, "the new token is still good", func() int { return g.send(nil, "/v1/audit", newToken, auditEvent) })

	byCertificate := func() int { return g.send(falco, "/v1/falco", "", alert) }
	status(200, "the certificate is good", byCertificate)
	standing := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: g.ca.pool(), MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*falco}}}
	defer standing.CloseIdleConnections()
	if got := g.over(standing, "/v1/falco", "", alert); got != 200 {
		t.Errorf("over a connection that stays: status %d", got)
	}
	next := newAuthority(t, "next CA")
	next.file(filepath.Join(g.dir, "clients.crt"))
	status(0, "the old CA is not believed", byCertificate)
	if got := g.over(standing, "/v1/falco", "", alert); got != 401 {
		t.Errorf("over the connection from before: status %d", got)
	}
	g.put("clients.crt", "no certificate")
	nextFalco := next.client("falco", "", time.Hour)
	status(200, "the new CA is believed", func() int { return g.send(nextFalco, "/v1/falco", "", alert) })

	next.file(filepath.Join(g.dir, "clients.crt"))
	g.ca = newAuthority(t, "next server CA")
	g.ca.server(g.dir)
	status(200, "the server shows its new certificate", func() int { return g.send(nil, "/v1/falco", secret, alert) })
}

// TestStartRefuses: a file that is missing or bad stops the start, and says
// which.
func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"a short token":       {"falco-token", "tiny-one", "at least 16 bytes"},
		"an empty token":      {"log-token", "\n", "empty"},
		"plain among hashes":  {"audit-tokens", oldToken, "line 1: want sha256:HEX"},
		"no tokens":           {"audit-tokens", "# none yet\n", "holds no secret"},
		"a path with a slash": {"falco-path", "a/b/c/d/e/f/g/h/i/j", "without /"},
		"no client CA":        {"clients.crt", "none", "client_ca"},
		"no certificate":      {"tls.crt", "none", "certificate of listen.tls"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuarded(t)
			g.put(c.file, c.text)
			err := Run(t.Context(), Options{Config: g.config, Roles: Roles(), Version: "test", Log: g.log})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
			if err != nil && c.text != "none" && len(c.text) > 3 && strings.Contains(err.Error(), c.text) {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}
