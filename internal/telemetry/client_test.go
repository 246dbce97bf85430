package telemetry

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCheckAddress(t *testing.T) {
	for _, c := range []struct {
		addr           string
		open, withLeft bool
	}{
		{"8.8.8.8", true, true},
		{"2606:4700::1111", true, true},
		{"64:ff9b::808:808", true, true},
		{"127.0.0.1", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"10.96.0.1", false, true},
		{"172.31.255.255", false, true},
		{"172.32.0.1", true, true},
		{"192.168.1.1", false, true},
		{"100.64.0.1", false, true},
		{"fd00::1", false, true},
		{"64:ff9b::a00:1", false, true},
		{"169.254.169.254", false, false},
		{"::ffff:169.254.169.254", false, false},
		{"64:ff9b::a9fe:a9fe", false, false},
		{"fe80::1%eth0", false, false},
		{"fd00:ec2::254", false, false},
		{"100.100.100.200", false, false},
		{"168.63.129.16", false, false},
		{"2002:a9fe:a9fe::1", false, false},
		{"0.0.0.0", false, false},
		{"::", false, false},
		{"224.0.0.1", false, false},
		{"ff02::1", false, false},
		{"255.255.255.255", false, false},
	} {
		addr := netip.MustParseAddr(c.addr)
		if got := checkAddress(addr, false) == nil; got != c.open {
			t.Errorf("%s without leave: open %v", c.addr, got)
		}
		if got := checkAddress(addr, true) == nil; got != c.withLeft {
			t.Errorf("%s with leave: open %v", c.addr, got)
		}
	}
	if checkAddress(netip.Addr{}, true) == nil {
		t.Error("no address is open")
	}
}

// TestClientChecksAfterResolution asks by a name, which resolves to loopback.
func TestClientChecksAfterResolution(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "LOCALHOST"} {
		_, err := HTTPClient(ClientOptions{}).Get("http://" + host + ":" + u.Port())
		if !errors.Is(err, ErrAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if asked != 0 {
		t.Errorf("%d requests came through", asked)
	}
	resp, err := HTTPClient(ClientOptions{Inside: []string{"127.0.0.1"}}).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

func TestClientFollowsNoRedirect(t *testing.T) {
	srv := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/", http.StatusFound))
	defer srv.Close()
	resp, err := HTTPClient(ClientOptions{Inside: []string{"127.0.0.1"}}).Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Error(resp.Status)
	}
}

func TestClientBounds(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/fits":
			w.Write([]byte(strings.Repeat("x", MaxResponse)))
		default:
			w.Write([]byte(strings.Repeat("x", MaxResponse+1)))
		}
	}))
	defer srv.Close()
	c := HTTPClient(ClientOptions{Inside: []string{"127.0.0.1"}, Timeout: 200 * time.Millisecond})
	defer c.CloseIdleConnections()
	if _, err := c.Get(srv.URL + "/slow"); err == nil {
		t.Error("slow: no error")
	}
	c = HTTPClient(ClientOptions{Inside: []string{"127.0.0.1"}})
	defer c.CloseIdleConnections()
	resp, err := c.Get(srv.URL + "/fits")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := ReadBody(resp); err != nil || len(body) != MaxResponse {
		t.Errorf("fits: %d, %v", len(body), err)
	}
	if resp, err = c.Get(srv.URL + "/large"); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadBody(resp); !errors.Is(err, ErrResponse) {
		t.Errorf("large: %v", err)
	}
}
