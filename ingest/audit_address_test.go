package ingest

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// What a client sends in headers moves no accusation to somebody else's address;
// proxies that are trusted may say who their client is.
func TestClientAddressOfAnAuditEvent(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("2001:db8::/64")}
	for _, c := range []struct {
		sources string
		trusted []netip.Prefix
		want    string
	}{
		{"203.0.113.9", nil, "203.0.113.9"},
		{"198.51.100.1,203.0.113.9", nil, "203.0.113.9"},              // X-Forwarded-For of the client
		{"198.51.100.1,198.51.100.2,203.0.113.9", nil, "203.0.113.9"}, // and X-Real-Ip
		{"198.51.100.1,203.0.113.9", proxies, "203.0.113.9"},          // not by a proxy
		{"203.0.113.9,10.0.0.7", proxies, "203.0.113.9"},              // by one
		{"198.51.100.1,203.0.113.9,10.0.0.7", proxies, "203.0.113.9"}, // that got the header from its client
		{"203.0.113.9,10.0.0.8,10.0.0.7", proxies, "203.0.113.9"},     // by two
		{"203.0.113.9,2001:db8::1", proxies, "203.0.113.9"},
		{"10.0.0.7", proxies, "10.0.0.7"},
		{"203.0.113.9,10.0.0.7", nil, "10.0.0.7"}, // of which nobody said that it is trusted
		{"203.0.113.9,unknown", proxies, "unknown"},
		{"unknown,10.0.0.7", proxies, "10.0.0.7"},
		{"", proxies, ""},
		{"::ffff:203.0.113.9", nil, "203.0.113.9"},
	} {
		var sources []string
		if c.sources != "" {
			sources = strings.Split(c.sources, ",")
		}
		if got := clientAddress(sources, c.trusted); got != c.want {
			t.Errorf("%s with %v is of %s, want %s", c.sources, c.trusted, got, c.want)
		}
	}
}

// Whatever headers say, the address is that of the peer, or, behind trusted
// proxies, of the one that the outermost of them saw.
func TestHeadersMoveNothing(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	any4 := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%d.%d.0.%d", rapid.SampledFrom([]int{10, 192, 203}).Draw(t, "a"), rapid.IntRange(0, 9).Draw(t, "b"), rapid.IntRange(0, 9).Draw(t, "c"))
	})
	rapid.Check(t, func(t *rapid.T) {
		claimed := rapid.SliceOfN(any4, 0, 4).Draw(t, "claimed")
		client := fmt.Sprint("198.51.100.", rapid.IntRange(1, 200).Draw(t, "client"))
		var proxies []string
		for i := range rapid.IntRange(0, 3).Draw(t, "proxies") {
			proxies = append(proxies, fmt.Sprint("10.9.9.", i))
		}
		sources := append(append(claimed, client), proxies...)
		if got := clientAddress(sources, trusted); got != client {
			t.Fatalf("%v is of %s", sources, got)
		}
		if got := clientAddress(sources, nil); got != sources[len(sources)-1] {
			t.Fatalf("%v is of %s where nobody is trusted", sources, got)
		}
	})
}

const forwardedEvent = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","verb":"list","user":{"username":"eve"},"sourceIPs":["198.51.100.1","203.0.113.9","10.0.0.7"]}`

// The configuration reaches each way in which audit events come, and all that
// the API server listed stays in the fields.
func TestTrustedProxiesOfAuditSources(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("a-token-that-is-long-enough"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"audit", "audit-firehose", "audit-pubsub"} {
		for _, trusts := range []bool{true, false} {
			k, _ := Lookup(name)
			c := k.Config().(*AuditConfig)
			c.Token, c.Path = conf.SecretFile{Path: "token"}, conf.SecretFile{}
			if name == "audit-pubsub" {
				c.Token, c.Path = conf.SecretFile{}, conf.SecretFile{Path: "token"}
			}
			want := "10.0.0.7"
			if trusts {
				c.TrustedProxies, want = proxies, "203.0.113.9"
			}
			s, err := Open(name, Deps{Sink: direct{&fakeStore{}}, Metrics: newTally(), Dir: dir}, c)
			if err != nil {
				t.Fatal(err)
			}
			var got []event.Event
			rejects, err := s.Endpoints[0].Decode(&http.Request{Header: http.Header{}}, []byte(forwardedEvent), Origin{}, func(events []event.Event) error {
				got = append(got, events...)
				return nil
			})
			if err != nil || len(rejects) > 0 || len(got) != 1 || got[0].Actor.Address != want || fmt.Sprint(got[0].Fields["source_ips"]) != "[198.51.100.1 203.0.113.9 10.0.0.7]" {
				t.Errorf("%s, trusts %v: %v %v %+v", name, trusts, err, rejects, got)
			}
		}
	}
	everybody := &AuditFileConfig{FileConfig: *defaultFiles("x"), Stages: StagesAll, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
	if err := everybody.Check(); err == nil || !strings.Contains(err.Error(), "trusted_proxies") {
		t.Errorf("everybody is trusted: %v", err)
	}
}
