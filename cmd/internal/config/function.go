package config

import (
	"fmt"
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
		case err != nil || u.Host == "" || u.Scheme != "https":
			add(at+".url", "want an https URL")
		case !slices.ContainsFunc(c.Functions.Hosts, func(h string) bool { return strings.EqualFold(h, u.Hostname()) }):
			add(at+".url", "host %s is not in spec.functions.hosts", u.Hostname())
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
