package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// every page that there is.
var every = []string{
	"", "?state=all&text=web", "incidents/" + incidentID, "findings/" + findingID, "runs/" + runID, "runs", "holds", "approvals", "reviews", "models", "system", "me",
}

func TestPages(t *testing.T) {
	r := newRig(t)
	r.fill("")
	ann := r.as("ann")
	for path, want := range map[string][]string{
		"":                           {"web-7d4b9c5f6-x2x9p", "critical", "container-escape", "87"},
		"incidents/" + incidentID:    {"severity critical: 50 of 50", "a process left its container", "run is awaiting_approval", "page to pagerduty is retrying", "It is a false alarm", "Close as resolved"},
		"runs/" + runID:              {"metadata › labels › app", "firebreak-hold", "only while its UID is 5a1f3c7e", "label environment=production: 2 people", "no longer an endpoint", "Approve", "mallory", "does", "host1.example", "1 of 2"},
		"findings/" + findingID:      {"A process left its container", "unique_ips is 412, above", "3 times"},
		"approvals":                  {"contain-container-escape", "value=\"0badc0de0badc0de\"", "Deny"},
		"runs":                       {"fedcba987654", "awaiting approval", "contain-container-escape", "A process left its container", "0123456789ab"},
		"holds":                      {"pods/shop/web-7d4b9c5f6-x2x9p", "until 2026-01-02 04:00:00 UTC, then restore", "2026-01-02 03:01:00 UTC", "Undo", "web-7d4b9c5f6-kk2p8", "nodes/worker-2", "label app=web is put back", "never by itself", "Put it back", "by hand alone", "kubectl --namespace shop"},
		"reviews":                    {"late", "the pager was down", "dave", "You broke it", "What you found", "erin", "it was right", "12 approvals within an hour"},
		"models":                     {"api-identity", "10 a day", "8.2"},
		"system":                     {"2", "pods quarantined", "Pause", "contain-container-escape", "Findings"},
		"me":                         {"ann", "oncall-ann", "approve playbooks.firebreak.io"},
		"runs/" + runID + "/receipt": {"{}"},
	} {
		status, text := ann.get(Root + path)
		if status != http.StatusOK {
			t.Errorf("%s: status %d: %s", path, status, text)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q", path, w)
			}
		}
	}
	if status, _ := ann.get(Root + "nothing"); status != http.StatusNotFound {
		t.Errorf("an unknown page: %d", status)
	}
}

func TestLogin(t *testing.T) {
	r := newRig(t)
	r.fill("")
	b := r.browser()
	if _, text := b.get(Root + "runs/" + runID); !strings.Contains(text, "Token of the cluster") || strings.Contains(text, "web-7d4b9c5f6") {
		t.Fatalf("a stranger sees %s", text)
	}
	for token, want := range map[string]int{"": 400, "two words": 400, "token-nobody": 401, strings.Repeat("x", maxToken+1): 400} {
		if status, text := b.send(Root+"login", url.Values{"token": {token}}); status != want || token != "" && strings.Contains(text, token) {
			t.Errorf("token %.20q: status %d, want %d", token, status, want)
		}
	}
	if status, text := b.send(Root+"login", url.Values{"token": {"token-bob"}, "next": {Root + "runs/" + runID}}); status != 200 || !strings.Contains(text, runID) {
		t.Fatalf("bob is at %d %s", status, text)
	}
	if status, _ := b.send(Root+"logout", url.Values{}); status != 200 {
		t.Errorf("sign out: %d", status)
	}
	if _, text := b.get(Root); !strings.Contains(text, "Token of the cluster") {
		t.Error("after signing out there is a session")
	}
	for _, next := range []string{"https://evil.example/console/", "//evil.example", "/v1/runs", "/console/../v1/runs\\", "javascript:alert(1)", "/console/\r\nX: y"} {
		if to := local(next); !strings.HasPrefix(to, Root) || strings.ContainsAny(to, "\r\n\\") {
			t.Errorf("%q leads to %q", next, to)
		}
	}
}

// A session ends with its time, with its token, and by signing out, everywhere.
func TestSession(t *testing.T) {
	r := newRig(t)
	r.fill("")
	out := func(b *browser) bool {
		_, text := b.get(Root)
		return strings.Contains(text, "Token of the cluster")
	}
	byTime, byToken := r.as("ann"), r.as("bob")
	if out(byTime) || out(byToken) {
		t.Fatal("nobody is signed in")
	}
	r.cluster.forget("token-bob")
	r.pass(believed + time.Second)
	if !out(byToken) || out(byTime) {
		t.Error("a token that the cluster does not know any more is believed, or another is not")
	}
	r.pass(sessionAge)
	if !out(byTime) {
		t.Error("a session has no end")
	}
	one := r.as("ann")
	copied := r.browser()
	at, err := url.Parse(r.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	copied.client.Jar.SetCookies(at, one.client.Jar.Cookies(at))
	if out(copied) {
		t.Fatal("the copy is not signed in")
	}
	one.send(Root+"logout", url.Values{})
	if !out(copied) {
		t.Error("a copy of the cookie outlives signing out")
	}
	// The store holds no token.
	for _, c := range r.as("ann").client.Jar.Cookies(at) {
		name, _, err := opener(c.Value)
		if c.Name != sessionCookie || err != nil {
			continue
		}
		sealed, _, err := r.bus.Sessions().Get(t.Context(), name)
		if err != nil || len(sealed) == 0 || strings.Contains(string(sealed), "token-ann") {
			t.Errorf("the store has %q (%v)", sealed, err)
		}
	}
}

func TestForgery(t *testing.T) {
	r := newRig(t)
	r.fill("")
	ann, bob := r.as("ann"), r.as("bob")
	say := Root + "runs/" + runID + "/approve"
	fields := url.Values{"digest": {"0badc0de0badc0de"}}
	if status, _, _ := ann.do(http.MethodPost, say, fields.Encode()); status != http.StatusForbidden {
		t.Errorf("without the form's word: %d", status)
	}
	fields.Set("form", bob.form())
	if status, _, _ := ann.do(http.MethodPost, say, fields.Encode()); status != http.StatusForbidden {
		t.Errorf("with another's word: %d", status)
	}
	fields.Set("form", ann.form())
	for _, headers := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
		if status, _, _ := ann.do(http.MethodPost, say, fields.Encode(), headers...); status != http.StatusForbidden {
			t.Errorf("%v: %d", headers, status)
		}
	}
	if len(r.house.heard) > 0 {
		t.Errorf("what was forged was heard: %q", r.house.heard)
	}
	fields.Set("reason", strings.Repeat("x", maxBody))
	if status, _, _ := ann.do(http.MethodPost, say, fields.Encode()); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge form: %d", status)
	}
	fields.Del("reason")
	if status, _, _ := ann.do(http.MethodPost, say, fields.Encode()); status != http.StatusOK || len(r.house.heard) != 1 {
		t.Errorf("a true one: %d, heard %q", status, r.house.heard)
	}
}

func TestPace(t *testing.T) {
	r := newRig(t)
	b, refused := r.browser(), 0
	for range 2 * loginBurst {
		if status, _ := b.send(Root+"login", url.Values{"token": {"token-nobody"}}); status == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused != loginBurst {
		t.Errorf("%d of %d tries were refused", refused, 2*loginBurst)
	}
	r.pass(time.Minute)
	if status, _ := b.send(Root+"login", url.Values{"token": {"token-ann"}}); status != http.StatusOK {
		t.Errorf("a minute later: %d", status)
	}
}

// Behind a proxy that sends a token there is no session, and forms are guarded
// all the same.
func TestProxy(t *testing.T) {
	r := newRig(t)
	r.fill("")
	b := r.browser()
	b.bearer = "token-ann"
	if status, text := b.get(Root + "me"); status != http.StatusOK || !strings.Contains(text, "by a proxy in front") || strings.Contains(text, "Sign out") {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := b.send(Root+"pause", url.Values{"reason": {"drill"}}); status != http.StatusOK || len(r.house.heard) != 1 {
		t.Errorf("pause: %d, heard %q", status, r.house.heard)
	}
	if status, _, _ := b.do(http.MethodPost, Root+"pause", ""); status != http.StatusForbidden {
		t.Errorf("without the form's word: %d", status)
	}
	b.bearer = "token-nobody"
	if status, _ := b.get(Root + "me"); status != http.StatusUnauthorized {
		t.Errorf("an unknown token: %d", status)
	}
}

func TestHeaders(t *testing.T) {
	r := newRig(t)
	r.fill("")
	ann := r.as("ann")
	for _, path := range append(every, "login", "nothing") {
		_, text, resp := ann.do(http.MethodGet, Root+path, "")
		csp := resp.Header.Get("Content-Security-Policy")
		if csp != policy || strings.Contains(csp, "unsafe") || resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Cache-Control") != "no-store" ||
			resp.Header.Get("Strict-Transport-Security") == "" || resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, resp.Header)
		}
		for _, inline := range []string{" style=", " onclick=", "<style", "javascript:", "http://"} {
			if strings.Contains(text, inline) {
				t.Errorf("%s has %q", path, inline)
			}
		}
	}
	b := r.browser()
	_, _, resp := b.do(http.MethodGet, Root+"login", "")
	for _, c := range resp.Cookies() {
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %v", c)
		}
	}
	if len(resp.Cookies()) != 1 {
		t.Errorf("%d cookies", len(resp.Cookies()))
	}
}
