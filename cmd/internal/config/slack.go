package config

import "strings"

// checkSlack names each mistake with its place.
func (c *Config) checkSlack(p *problems) {
	if c.Slack == nil {
		return
	}
	err := c.Slack.Check()
	if err == nil {
		return
	}
	for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
		key, _, _ := strings.Cut(one.Error(), ":")
		p.add("spec.slack."+key, "%v", one)
	}
}
