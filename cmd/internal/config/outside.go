package config

import (
	"net/url"
	"slices"
	"strings"
)

// checkNATS looks at what the bus would refuse, or what should not be here.
func (c *Config) checkNATS(p *problems) {
	n := c.NATS
	for address := range strings.SplitSeq(n.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(address))
		switch {
		case n.URL == "":
		case err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme):
			p.add("spec.nats.url", "want nats://HOST:PORT or tls://HOST:PORT, several with commas")
		case u.User != nil:
			p.addHidden("spec.nats.url", "a secret is given as the file that holds it: credentials: {file: PATH}")
		}
	}
	if (n.Cert == "") != (n.Key == "") {
		p.add("spec.nats", "a certificate needs its key, and a key its certificate")
	}
	if n.Replicas < 0 || n.Replicas > 5 {
		p.add("spec.nats.replicas", "%d is not 0 to 5", n.Replicas)
	}
	if n.URL == "" && n.Replicas > 1 {
		p.add("spec.nats.replicas", "the embedded server has one")
	}
	if n.MaxBytes < 0 {
		p.add("spec.nats.max_bytes", "%d is negative", n.MaxBytes)
	}
}

func (c *Config) checkTelemetry(p *problems) {
	t := c.Telemetry
	if levels := []string{"debug", "info", "warn", "error"}; !slices.Contains(levels, strings.ToLower(t.Log.Level)) {
		p.add("spec.telemetry.log.level", "%q is none of %s", t.Log.Level, strings.Join(levels, ", "))
	}
	if t.Log.Format != "json" && t.Log.Format != "text" {
		p.add("spec.telemetry.log.format", "%q is none of json, text", t.Log.Format)
	}
	if t.OTLP == "" {
		return
	}
	u, err := url.Parse(t.OTLP)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		p.add("spec.telemetry.otlp", "want http://HOST:PORT or https://HOST:PORT")
	case u.User != nil:
		p.addHidden("spec.telemetry.otlp", "a secret can't stand in a URL here")
	}
}
