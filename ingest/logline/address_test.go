package logline

import (
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.5": "203.0.113.5", "203.0.113.5:80": "203.0.113.5", "2001:DB8::5": "2001:db8::5", "[2001:db8::5]:443": "2001:db8::5", "[::1]": "::1",
		"fe80::1%eth0": "fe80::1", "::ffff:203.0.113.5": "203.0.113.5", `"203.0.113.5"`: "203.0.113.5", "[::ffff:203.0.113.5]:1": "203.0.113.5",
		"": "", "-": "", "unknown": "", "203.0.113.5:": "", "203.0.113.5:x": "", "203.0.113.5:123456": "", "[::1": "", "[::1]x": "", "203.0.113": "", "203.0.113.5.6": "",
		"203.0.113.05": "", "0x7f.1": "", "1": "", "203.0.113.5, 10.0.0.1": "", "${jndi:ldap://x}": "", "_hidden": "", "host.example": "",
	} {
		if got := address(text); got != want {
			t.Errorf("%q is the address %q, want %q", text, got, want)
		}
	}
}

func TestClient(t *testing.T) {
	inside := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer, forwarded, want string
		trusted                     []netip.Prefix
	}{
		{"nobody is trusted", "10.0.0.1", "198.51.100.7", "10.0.0.1", nil},
		{"an untrusted peer", "203.0.113.5", "198.51.100.7", "203.0.113.5", inside},
		{"one proxy", "10.0.0.1", "203.0.113.5", "203.0.113.5", inside},
		{"a forged entry at the left", "10.0.0.1", "127.0.0.1, 198.51.100.7, 203.0.113.5", "203.0.113.5", inside},
		{"two proxies", "10.0.0.1", "198.51.100.7, 203.0.113.5, 10.0.0.2", "203.0.113.5", inside},
		{"all are trusted", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", inside},
		{"no chain", "10.0.0.1", "", "10.0.0.1", inside},
		{"a malformed entry ends the walk", "10.0.0.1", "203.0.113.5, x, 10.0.0.2", "10.0.0.2", inside},
		{"a malformed last entry", "10.0.0.1", "203.0.113.5, ${jndi:x}", "10.0.0.1", inside},
		{"IPv4 within IPv6", "::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5", inside},
		{"ports and brackets", "[fd00::1]:80", "[2001:db8::5]:4711", "2001:db8::5", inside},
		{"a peer that is no address", "unix:", "203.0.113.5", "", inside},
	} {
		if got := Client(c.peer, chain(c.forwarded), c.trusted); got != c.want {
			t.Errorf("%s: the client is %q, want %q", c.name, got, c.want)
		}
	}
}

// What stands left of an entry that isn't trusted changes nothing.
func TestClientForged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		outside := "203.0.113.5"
		proxies := rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.1", "10.9.9.9:80"}), 0, 5).Draw(t, "proxies")
		forged := rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.1", "127.0.0.1", "198.51.100.1", "x", ""}), 0, 20).Draw(t, "forged")
		list := append(append(forged, outside), proxies...)
		if got := Client("10.0.0.2", list, trusted); got != outside {
			t.Fatalf("%q: the client is %q", list, got)
		}
	})
}

func TestChain(t *testing.T) {
	if got := chain(" a ,, -, b,c "); strings.Join(got, "|") != "a|b|c" {
		t.Errorf("got %q", got)
	}
	long := chain(strings.Repeat("1.2.3.4,", 10000) + "5.6.7.8")
	if len(long) != maxForwarded || long[maxForwarded-1] != "5.6.7.8" {
		t.Errorf("%d entries, the last %q", len(long), long[len(long)-1])
	}
}
