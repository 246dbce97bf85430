package service

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/action"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// edge is a receiver that asks for a client certificate of its own people.
type edge struct {
	*httptest.Server
	dir    string
	people *authority
	// answer is what it does once the certificate is good.
	answer func(w http.ResponseWriter, r *http.Request, body []byte)
}

func newEdge(t *testing.T, address string) *edge {
	t.Helper()
	e := &edge{dir: t.TempDir(), people: newAuthority(t, "people of the edge")}
	own := newAuthority(t, "CA of the edge")
	own.server(e.dir)
	own.file(filepath.Join(e.dir, "ca.crt"))
	pair, err := tls.LoadX509KeyPair(filepath.Join(e.dir, "tls.crt"), filepath.Join(e.dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.answer(w, r, body)
	}))
	if e.Listener, err = net.Listen("tcp", address); err != nil {
		t.Skip(err) // no IPv6 here
	}
	e.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: e.people.pool(), MinVersion: tls.VersionTLS12}
	e.StartTLS()
	t.Cleanup(e.Close)
	e.certificate(t, "fb", e.people)
	if err := os.WriteFile(filepath.Join(e.dir, "secret"), []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

// certificate writes NAME.crt and NAME.key of an authority.
func (e *edge) certificate(t *testing.T, name string, by *authority) {
	t.Helper()
	pair := by.client("firebreak", "", time.Hour)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(e.dir, name+".crt"), "CERTIFICATE", pair.Certificate[0])
	write(t, filepath.Join(e.dir, name+".key"), "PRIVATE KEY", key)
}

// call calls the receiver as a step does, by the config.
func (e *edge) call(t *testing.T, w config.FunctionWebhook) error {
	t.Helper()
	w.Name = "block"
	if w.URL == "" {
		w.URL = e.URL + "/block"
	}
	w.Secret = conf.SecretFile{Path: "secret"}
	s := &service{Options: Options{Config: &config.Config{Dir: e.dir, Functions: config.Functions{Webhooks: []config.FunctionWebhook{w}}}}}
	calls, _, err := s.functions()
	if err != nil {
		return err
	}
	k, _ := action.Lookup("function.webhook")
	a, err := k.New(action.Deps{Functions: calls}, &action.FunctionConfig{Function: "block"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	r := action.Request{Key: "run1/block", Target: event.Ref{Resource: "pods", Namespace: "shop", Name: "web", UID: "u"}, Now: now, Until: now}
	p, err := a.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = a.Do(ctx, r, p)
	return err
}

func (e *edge) webhook() config.FunctionWebhook {
	return config.FunctionWebhook{Webhook: config.Webhook{AllowPrivate: true}, Cert: "fb.crt", Key: "fb.key", CA: "ca.crt"}
}

// TestFunctionByCertificate: the receiver takes the call with its client
// certificate and signature; without, by another authority's, or at a receiver
// of another authority, nothing gets through.
func TestFunctionByCertificate(t *testing.T) {
	e := newEdge(t, "127.0.0.1:0")
	calls := 0
	e.answer = func(_ http.ResponseWriter, r *http.Request, body []byte) {
		calls++
		signature := r.Header.Get(notify.SignatureHeader)
		at, _, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",")
		unix, err := strconv.ParseInt(at, 10, 64)
		if err != nil || notify.Sign([]byte("s3cret"), unix, body) != signature {
			t.Errorf("signature %q", signature)
		}
		if len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].Subject.CommonName != "firebreak" {
			t.Error("no certificate")
		}
	}
	if err := e.call(t, e.webhook()); err != nil || calls != 1 {
		t.Fatal(err, calls)
	}
	e.certificate(t, "other", newAuthority(t, "somebody else"))
	newAuthority(t, "somebody else").file(filepath.Join(e.dir, "other-ca.crt"))
	for name, change := range map[string]func(w *config.FunctionWebhook){
		"no certificate":                     func(w *config.FunctionWebhook) { w.Cert, w.Key = "", "" },
		"of another authority":               func(w *config.FunctionWebhook) { w.Cert, w.Key = "other.crt", "other.key" },
		"key of another":                     func(w *config.FunctionWebhook) { w.Key = "other.key" },
		"receiver of another authority":      func(w *config.FunctionWebhook) { w.CA = "other-ca.crt" },
		"receiver of no public authority":    func(w *config.FunctionWebhook) { w.CA = "" },
		"a name that the certificate is not": func(w *config.FunctionWebhook) { w.URL = strings.Replace(e.URL, "127.0.0.1", "localhost", 1) },
		"without leave for loopback":         func(w *config.FunctionWebhook) { w.AllowPrivate = false },
		"a name that leads to loopback": func(w *config.FunctionWebhook) {
			w.URL, w.AllowPrivate = strings.Replace(e.URL, "127.0.0.1", "localhost", 1), false
		},
	} {
		w := e.webhook()
		change(&w)
		if err := e.call(t, w); err == nil || calls != 1 {
			t.Errorf("%s: %v, %d calls", name, err, calls)
		}
	}
}

// TestFunctionRedirect: an allowed host can't send the call on to another.
func TestFunctionRedirect(t *testing.T) {
	to, from := newEdge(t, "127.0.0.1:0"), newEdge(t, "127.0.0.1:0")
	to.answer = func(http.ResponseWriter, *http.Request, []byte) { t.Error("the call was sent on") }
	for _, code := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		from.answer = func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, to.URL+"/block", code)
		}
		if err := from.call(t, from.webhook()); err == nil || strings.Contains(err.Error(), to.URL) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// TestFunctionByIPv6: an address of the other family is a host like any.
func TestFunctionByIPv6(t *testing.T) {
	e := newEdge(t, "[::1]:0")
	calls := 0
	e.answer = func(http.ResponseWriter, *http.Request, []byte) { calls++ }
	if err := e.call(t, e.webhook()); err != nil || calls != 1 {
		t.Fatal(err, calls)
	}
	w := e.webhook()
	w.AllowPrivate = false
	if err := e.call(t, w); err == nil || calls != 1 {
		t.Error(err, calls)
	}
}
