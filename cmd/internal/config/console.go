package config

import (
	"net/url"
	"strings"

	"github.com/firebreak-io/firebreak/internal/console"
)

// Console is the web page.
type Console struct {
	// Disabled serves none.
	Disabled bool `yaml:"disabled"`
	// URL is how people reach it, as https://firebreak.example: notices and Slack
	// link to it. It has no path.
	URL string `yaml:"url"`
}

// Run is the address of a run, Incident that of an incident; without a URL they
// are empty.
func (c Console) Run(id string) string { return c.page("runs/", id) }

// Incident is the address of an incident.
func (c Console) Incident(id string) string { return c.page("incidents/", id) }

func (c Console) page(what, id string) string {
	if c.URL == "" || c.Disabled {
		return ""
	}
	return strings.TrimSuffix(c.URL, "/") + console.Root + what + url.PathEscape(id)
}

// checkConsole also has notices link to the page, unless they link elsewhere.
func (c *Config) checkConsole(p *problems) {
	text := c.Console.URL
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	inside := err == nil && u.Scheme == "http" && loopback(u.Host)
	if err != nil || u.Scheme != "https" && !inside || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		p.add("spec.console.url", "want an https URL of a host alone, as https://firebreak.example")
		return
	}
	if c.Notify.Link == "" && !inside {
		c.Notify.Link = c.Console.Incident("")
	}
}
