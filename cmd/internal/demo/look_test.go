package demo

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/firebreak-io/firebreak/test/chromium"
)

// left is what the demo says of looking at it afterwards.
type left struct {
	t                           *testing.T
	page, token, server, ca     string
	command, tokenFile, cluster string
}

func find(t *testing.T, text, pattern string) []string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("nothing reads %q in\n%s", pattern, text)
	}
	return m
}

// look does what the demo says that one can do with what it leaves running: the
// service's page over TLS, with real tokens, directly and through a proxy, and
// the command.
func look(t *testing.T, text string) {
	l := left{t: t}
	m := find(t, text, `(https://127\.0\.0\.1:[0-9]+/console/)\n .* this file holds: (\S+)`)
	data, err := os.ReadFile(m[2])
	if err != nil {
		t.Fatal(err)
	}
	l.page, l.token = m[1], strings.TrimSpace(string(data))
	m = find(t, text, `export FIREBREAK_SERVER=(\S+) FIREBREAK_SERVER_CA=(\S+)\n  (\S+) runs --token-file (\S+)\n  export KUBECONFIG=(\S+)`)
	l.server, l.ca, l.command, l.tokenFile, l.cluster = m[1], m[2], m[3], m[4], m[5]

	// Somebody whose account goes while they look, and somebody who looks on.
	front := l.front()
	gone, stays := l.viewer("leaver"), l.viewer("watcher")
	leaver, watcher := l.signIn(front, gone), l.signIn(front, stays)
	revoked, live := leaver.follow(""), watcher.follow("")
	revoked.until("event: hello")
	live.until("event: hello")
	l.forget("leaver")

	l.undoInBrowser()
	live.until(`"kind":"run"`) // through the proxy, while it goes on
	last := live.last
	live.close()
	back := watcher.follow(last)
	back.until("event: hello")
	l.runs()
	revoked.until("event: end")
	if status, _ := leaver.get("/console/runs"); status != http.StatusOK || leaver.at != "/console/login" {
		t.Errorf("who is nobody any more is at %s (%d)", leaver.at, status)
	}
}

// runs is the command that is printed.
func (l *left) runs() {
	cmd := exec.CommandContext(l.t.Context(), l.command, "runs", "--token-file", l.tokenFile)
	cmd.Env = append(os.Environ(), "FIREBREAK_SERVER="+l.server, "FIREBREAK_SERVER_CA="+l.ca)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "contain-malicious-program") || !strings.Contains(string(out), "contain-privileged-pod") {
		l.t.Errorf("the command says %v\n%s", err, out)
	}
}

// undoInBrowser signs in as alice, finds the run that holds, and undoes it.
func (l *left) undoInBrowser() {
	ctx := chromium.Open(l.t, chromedp.Flag("ignore-certificate-errors", true))
	row := `//tr[.//bdi[text()="contain-malicious-program"]][.//span[text()="holding"]]/th/a`
	var incidents, run string
	err := chromedp.Run(ctx, chromedp.Navigate(l.page), chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", l.token), chromedp.Submit("#token"),
		chromedp.WaitVisible(".who"), chromedp.WaitVisible("html[data-connected]"), chromedp.Text("#s-list", &incidents),
		chromedp.Click(`a[href="/console/runs"]`), chromedp.WaitVisible(row, chromedp.BySearch), chromedp.Click(row, chromedp.BySearch),
		chromedp.WaitVisible("#h-steps"), chromedp.Text("main", &run),
		chromedp.SendKeys(`#s-end form[action$="/undo"] textarea`, "the demo is over"), chromedp.Click(`#s-end form[action$="/undo"] button.no`), chromedp.WaitVisible("#said"),
		chromedp.WaitVisible(`//*[@id="s-what"]//span[text()="closed"]`, chromedp.BySearch))
	if err != nil {
		l.t.Fatalf("in the browser: %v\nit saw the incidents\n%s\nand the run\n%s", err, incidents, run)
	}
	for _, want := range []string{"pods/payments/ledger-", "sensitive-file-read", "contain-malicious-program"} {
		if !strings.Contains(incidents+run, want) {
			l.t.Errorf("the page shows no %s:\n%s\n%s", want, incidents, run)
		}
	}
}

func (l *left) client() *kubernetes.Clientset {
	l.t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", l.cluster)
	if err != nil {
		l.t.Fatal(err)
	}
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// viewer is the token of a service account that may look.
func (l *left) viewer(name string) string {
	l.t.Helper()
	c, ctx := l.client(), l.t.Context()
	_, err := c.CoreV1().ServiceAccounts("shop").Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	_, err = c.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "firebreak-viewer"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: "shop"}},
	}, metav1.CreateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	token, err := c.CoreV1().ServiceAccounts("shop").CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	return token.Status.Token
}

func (l *left) forget(name string) {
	l.t.Helper()
	if err := l.client().CoreV1().ServiceAccounts("shop").Delete(l.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		l.t.Fatal(err)
	}
}

// front is a proxy with TLS of its own, as an ingress is. It believes the
// certificate that the demo names, and no other.
func (l *left) front() *httptest.Server {
	l.t.Helper()
	pem, err := os.ReadFile(l.ca)
	if err != nil {
		l.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	target, err := url.Parse(l.server)
	if err != nil {
		l.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true},
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
		},
	}
	front := httptest.NewTLSServer(proxy)
	l.t.Cleanup(front.Close)
	return front
}

// guest is somebody who has signed in through the proxy.
type guest struct {
	t      *testing.T
	client *http.Client
	server string
	at     string
}

func (l *left) signIn(front *httptest.Server, token string) *guest {
	l.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	g := &guest{t: l.t, client: &http.Client{Transport: front.Client().Transport, Jar: jar}, server: front.URL}
	_, text := g.get("/console/login")
	form := find(l.t, text, `name="form" value="([^"]*)"`)[1]
	resp, err := g.client.PostForm(g.server+"/console/login", url.Values{"form": {form}, "token": {token}})
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/console/" || resp.Header.Get("Strict-Transport-Security") == "" {
		l.t.Fatalf("signed in: %d at %s, %v", resp.StatusCode, resp.Request.URL, resp.Header)
	}
	return g
}

func (g *guest) get(path string) (int, string) {
	g.t.Helper()
	resp, err := g.client.Get(g.server + path)
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	g.at = resp.Request.URL.Path
	return resp.StatusCode, string(text)
}

// live is a live answer.
type live struct {
	t     *testing.T
	lines *bufio.Scanner
	last  string
	close func()
}

func (g *guest) follow(last string) *live {
	g.t.Helper()
	ctx, cancel := context.WithCancel(g.t.Context())
	g.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.server+"/console/live?about=all", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := g.client.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		g.t.Fatalf("the live answer is %d", resp.StatusCode)
	}
	return &live{t: g.t, lines: bufio.NewScanner(resp.Body), close: cancel}
}

// until reads to a line that has some text.
func (l *live) until(text string) {
	l.t.Helper()
	for l.lines.Scan() {
		if id, ok := strings.CutPrefix(l.lines.Text(), "id: "); ok {
			l.last = id
		}
		if strings.Contains(l.lines.Text(), text) {
			return
		}
	}
	if err := l.lines.Err(); !errors.Is(err, context.Canceled) {
		l.t.Fatalf("the answer ended (%v), and %q was not in it", err, text)
	}
}
