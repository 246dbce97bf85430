//go:build linux

package torture

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/test/controlplane"
)

// write is one patch of a pod that the API server answered.
type write struct {
	child  int
	pod    string
	hold   string // firebreak.io/label or firebreak.io/hold
	set    bool   // some run holds it, else nobody does any more
	key    string // of the set
	status int
	// sent is when it went to the API server, at when that had answered.
	sent, at time.Time
}

// gateway is the way of one client to the API server. What was sent is carried out and answered to the
// gateway, also when the client is gone: so what landed is known.
type gateway struct {
	address string
	away    atomic.Bool
	// before and after see each patch of a pod; false from before drops it, false from after breaks the
	// connection instead of answering.
	before func(w write) bool
	after  func(w write) bool
}

func newGateway(t *testing.T, plane *controlplane.Cluster, child int, before, after func(write) bool) *gateway {
	t.Helper()
	ca, err := os.ReadFile(plane.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	target, err := url.Parse(plane.Server)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			// A client sends no token without TLS.
			r.Out.Header.Set("Authorization", "Bearer "+plane.Users["admin"].Token)
		},
		Transport: transport, FlushInterval: -1,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	g := &gateway{before: before, after: after}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.address = l.Addr().String()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.away.Load() {
			panic(http.ErrAbortHandler)
		}
		if r.Method == http.MethodPatch && strings.Contains(r.URL.Path, "/pods/") {
			g.patch(w, r, proxy, child)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return g
}

func (g *gateway) patch(w http.ResponseWriter, r *http.Request, proxy *httputil.ReverseProxy, child int) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	seen := classify(r.URL.Path, body)
	seen.child = child
	if !g.before(seen) {
		panic(http.ErrAbortHandler)
	}
	// It goes on although the client is gone.
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	seen.sent = time.Now()
	answer := &recorded{header: http.Header{}}
	proxy.ServeHTTP(answer, r)
	seen.status, seen.at = answer.status, time.Now()
	if !g.after(seen) {
		panic(http.ErrAbortHandler)
	}
	for k, v := range answer.header {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes()) // the client may be gone
}

// recorded is an answer that waits to be passed on.
type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorded) Header() http.Header { return r.header }
func (r *recorded) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorded) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// classify says what a patch does.
func classify(path string, body []byte) write {
	w := write{pod: filepath.Base(path)}
	var patch struct {
		Metadata struct {
			Annotations map[string]*string `json:"annotations"`
		} `json:"metadata"`
	}
	if json.Unmarshal(body, &patch) != nil {
		return w
	}
	for _, k := range []string{"firebreak.io/label", "firebreak.io/hold"} {
		text, ok := patch.Metadata.Annotations[k]
		if !ok {
			continue
		}
		if w.hold = k; text == nil {
			return w
		}
		w.set = true
		_, after, _ := strings.Cut(*text, `"runs":{"`)
		w.key, _, _ = strings.Cut(after, `"`)
	}
	return w
}

// kubeconfig is a file by which a client finds the gateway, which speaks as the admin.
func (g *gateway) kubeconfig(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "http://%s"}}]
users: [{name: u, user: {}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
`, g.address)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
