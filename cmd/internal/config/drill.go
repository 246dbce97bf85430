package config

import (
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// leastDrill is how often a drill is held at most: each is a quarantine.
const leastDrill = 5 * time.Minute

func (c *Config) checkDrill(p *problems) {
	d := c.Respond.Drill
	if d.Every == 0 {
		return
	}
	if d.Every.Std() < leastDrill {
		p.add("spec.respond.drill.every", "at least %s", leastDrill)
	}
	if d.Wait <= 0 || d.Wait >= d.Every {
		p.add("spec.respond.drill.wait", "more than nothing and less than every")
	}
	for _, name := range []struct{ at, is string }{{"namespace", d.Namespace}, {"target", d.Target}, {"prober", d.Prober}} {
		if !conf.IsName(name.is) {
			p.add("spec.respond.drill."+name.at, "%q is no name", name.is)
		}
	}
	for _, to := range d.Page {
		known := slices.ContainsFunc(c.Webhooks, func(w Webhook) bool { return w.Name == to }) ||
			slices.ContainsFunc(c.Notify.Receivers, func(r Receiver) bool { return r.Name == to })
		if !known {
			p.add("spec.respond.drill.page", "there is no receiver %q", to)
		}
	}
}
