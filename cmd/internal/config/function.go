package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// checkFunctions finds functions that can't be called or run.
func (c *Config) checkFunctions(add func(at, format string, args ...any)) {
	seen := map[string]bool{}
	name := func(at, name string) {
		if !conf.IsName(name) || seen[name] {
			add(at+".name", "%q is no name, or is there twice", name)
		}
		seen[name] = true
	}
	for i, w := range c.Functions.Webhooks {
		at := fmt.Sprintf("spec.functions.webhooks[%d]", i)
		name(at, w.Name)
		u, err := url.Parse(w.URL)
		switch {
		case err != nil || u.Hostname() == "" || u.Scheme != "https" || u.User != nil:
			add(at+".url", "want an https URL")
		case !slices.ContainsFunc(c.Functions.Hosts, func(h string) bool { return leads(u, h) }):
			add(at+".url", "host %s is not in spec.functions.hosts", u.Host)
		}
		if (w.Cert == "") != (w.Key == "") {
			add(at, "cert and key go together")
		}
	}
	clear(seen)
	for i, j := range c.Functions.Jobs {
		at := fmt.Sprintf("spec.functions.jobs[%d]", i)
		name(at, j.Name)
		if !conf.IsName(j.Namespace) {
			add(at+".namespace", "%q is no name of a namespace", j.Namespace)
		}
	}
}

// leads says whether a URL leads to a host of the list: a name or an address, with
// a port behind it if only that port is meant.
func leads(u *url.URL, host string) bool {
	plain := func(s string) string {
		s = strings.ToLower(strings.TrimSuffix(s, "."))
		if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			return addr.String() // each address has many spellings
		}
		return s
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return plain(host) == plain(u.Hostname())
	}
	return plain(name) == plain(u.Hostname()) && port == cmp.Or(u.Port(), "443")
}
