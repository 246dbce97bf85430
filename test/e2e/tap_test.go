package e2e

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// tap stands between an action and the API server: it lets the action be some
// user, notes which permissions it uses, and can lose the answer to a write.
type tap struct {
	user    string
	forward *httputil.ReverseProxy

	mu sync.Mutex
	// used are the permissions that requests took: "patch pods". While it is
	// looking none are noted: the reconciler looks for the holds of all kinds.
	used    map[string]bool
	looking bool
	// writes counts what was not only read; lose is the number of the one whose
	// answer is lost, 0 is none.
	writes, lose int
}

// newTap starts one, and gives a client by it.
func newTap(t *testing.T, user string) (*tap, *kube.Client) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", plane(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.NextProtos = []string{"http/1.1"} // a command takes over its connection
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{user: user, used: map[string]bool{}}
	p.forward = &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Header.Del("Authorization")
		r.Out.Header.Set("Impersonate-User", p.user)
	}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	c := clientcmdapi.NewConfig()
	c.Clusters["c"] = &clientcmdapi.Cluster{Server: s.URL}
	c.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: "none"}
	c.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	c.CurrentContext = "x"
	path := t.TempDir() + "/kubeconfig"
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		t.Fatal(err)
	}
	client, err := kube.New(kube.Options{Kubeconfig: path, QPS: 200, Burst: 400})
	if err != nil {
		t.Fatal(err)
	}
	return p, client
}

// ServeHTTP hands a request on.
func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	permission := permissionOf(r)
	lost := false
	if permission != "" {
		p.mu.Lock()
		if !p.looking {
			p.used[permission] = true
		}
		p.mu.Unlock()
		if r.Method != http.MethodGet && !strings.HasSuffix(permission, "reviews") {
			lost = p.wrote()
		}
	}
	if !lost {
		p.forward.ServeHTTP(w, r)
		return
	}
	p.forward.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler) // it was done, and nobody hears of it
}

// wrote counts a write, and says whether its answer is to be lost.
func (p *tap) wrote() (lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	return p.writes == p.lose
}

// begin counts writes anew, and loses the answer to one of them.
func (p *tap) begin(lose int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes, p.lose = 0, lose
}

func (p *tap) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writes
}

// look notes nothing until the function is called that it gives.
func (p *tap) look() (over func()) {
	set := func(on bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.looking = on
	}
	set(true)
	return func() { set(false) }
}

// use notes a permission.
func (p *tap) use(permission string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used[permission] = true
}

func (p *tap) permissions() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.used)
}

// permissionOf is what RBAC asks of a request: "create pods/eviction". It is
// empty for what is no resource.
func permissionOf(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		group, parts = parts[1], parts[3:]
	default:
		return ""
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	resource, named := parts[0], len(parts) > 1
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	if group != "" {
		resource += "." + group
	}
	verb := map[string]string{"GET": "list", "POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "deletecollection"}[r.Method]
	if named && r.Method == http.MethodGet {
		verb = "get"
	}
	if named && r.Method == http.MethodDelete {
		verb = "delete"
	}
	return verb + " " + resource
}
