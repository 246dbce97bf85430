package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/respond/notify"
)

// Notify says whom playbooks can tell, and how.
type Notify struct {
	Receivers []Receiver `yaml:"receivers"`
	// Routes say who is paged by steps of notify.page that name nobody: the
	// first that fits, unless it says to go on.
	Routes notify.Routes `yaml:"routes"`
	// Link is what the id of an incident is put behind to lead to it, as
	// https://firebreak.example/incidents/.
	Link string `yaml:"link"`
}

// Receiver is one that messages can be sent to. It is treated as said here by
// each responder.
type Receiver struct {
	// Name is what playbooks and routes call it.
	Name string `yaml:"name,required"`
	// Kind is one of the catalogue: see firebreak kinds.
	Kind string `yaml:"kind,required"`
	// With are the kind's own parameters.
	With conf.Raw `yaml:"with"`
	// Parallel is how many messages are sent at a time (4), Rate how many a
	// minute (120), Burst how many at once after a silence (20).
	Parallel int     `yaml:"parallel"`
	Rate     float64 `yaml:"rate"`
	Burst    int     `yaml:"burst"`
	// Timeout is for one attempt (10s, at most 15s), Expire for how long a
	// message is tried again (24h, at most 168h).
	Timeout conf.Duration `yaml:"timeout"`
	Expire  conf.Duration `yaml:"expire"`
	// Group is how long after a page others wait to go as one (0s sends each by
	// itself, at most 10m).
	Group conf.Duration `yaml:"group"`

	// Decoded are the typed parameters.
	Decoded any `yaml:"-"`
}

// Limits are what the receiver says of itself.
func (r Receiver) Limits() notify.Limits {
	return notify.Limits{Parallel: r.Parallel, Rate: r.Rate, Burst: r.Burst, Timeout: r.Timeout.Std(), Expire: r.Expire.Std(), Group: r.Group.Std()}
}

// checkNotify looks at the receivers, and takes the webhooks among them.
func (c *Config) checkNotify(p *problems) {
	seen := map[string]bool{notify.KubernetesEvents: true}
	for i, w := range c.Webhooks {
		at := fmt.Sprintf("spec.webhooks[%d]", i)
		if !conf.IsName(w.Name) || seen[w.Name] {
			p.add(at+".name", "%q is no name, or is there twice", w.Name)
		}
		seen[w.Name] = true
		config := notify.WebhookConfig{URL: w.URL, Secret: w.Secret, AllowPrivate: w.AllowPrivate}
		kind, _ := notify.Lookup(notify.WebhookKind)
		if err := kind.Check(&config); err != nil {
			p.add(at+".url", "want an https URL (http only with allow_private)")
		}
	}
	for i := range c.Notify.Receivers {
		r, at := &c.Notify.Receivers[i], fmt.Sprintf("spec.notify.receivers[%d]", i)
		if !conf.IsName(r.Name) || seen[r.Name] {
			p.add(at+".name", "%q is no name, or is there twice", r.Name)
		}
		seen[r.Name] = true
		c.checkReceiver(p, r, at)
	}
	for i, r := range c.Notify.Routes {
		if err := r.Check(c.pages); err != nil {
			p.add(fmt.Sprintf("spec.notify.routes[%d]", i), "%v", err)
		}
	}
	if u, err := url.Parse(c.Notify.Link); c.Notify.Link != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil) {
		p.add("spec.notify.link", "want an https URL")
	}
}

// pages says why a receiver can't be paged.
func (c *Config) pages(name string) error {
	if slices.ContainsFunc(c.Webhooks, func(w Webhook) bool { return w.Name == name }) {
		return nil
	}
	at := slices.IndexFunc(c.Notify.Receivers, func(r Receiver) bool { return r.Name == name })
	if at < 0 {
		return fmt.Errorf("there is no receiver %q", name)
	}
	if kind, ok := notify.Lookup(c.Notify.Receivers[at].Kind); ok && !kind.Pages {
		return fmt.Errorf("receiver %q takes no pages", name)
	}
	return nil
}

func (c *Config) checkReceiver(p *problems, r *Receiver, at string) {
	kind, ok := notify.Lookup(r.Kind)
	if !ok || r.Kind == notify.KubernetesEvents {
		var names []string
		for _, k := range notify.Kinds() {
			names = append(names, k.Name)
		}
		names = slices.DeleteFunc(names, func(n string) bool { return n == notify.KubernetesEvents })
		p.add(at+".kind", "%q is none of %s", r.Kind, strings.Join(names, ", "))
		return
	}
	if err := r.Limits().Check(); err != nil {
		for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
			key, _, _ := strings.Cut(one.Error(), ":")
			p.add(at+"."+key, "%v", one)
		}
	}
	into := kind.Config()
	if err := r.With.Decode(into); err != nil {
		p.list = append(p.list, err)
		return
	}
	if kind.Check != nil {
		if err := kind.Check(into); err != nil {
			p.add(at+".with", "%v", err)
		}
	}
	r.Decoded = into
}
