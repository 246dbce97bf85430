package backlog

import (
	"fmt"
	"maps"
	"slices"
)

// Config bounds what may be unread, as parts of nats.max_bytes. Zero is the
// default.
type Config struct {
	// Limit is how much of the stream may be unread before every source is
	// refused; by default 0.8. The rest is for what Firebreak itself puts
	// there.
	Limit float64 `yaml:"limit,omitempty"`
	// Shares are the parts of that which single sources may fill, by their
	// names; by default 0.3, or more with fewer than four sources: all of it
	// for one, a half each for two.
	Shares map[string]float64 `yaml:"shares,omitempty"`
}

const (
	defaultLimit = 0.8
	defaultShare = 0.3
)

// Check says what of the configuration could not be used. The sources are the
// names of those that are configured.
func (c *Config) Check(sources []string) error {
	if c.Limit < 0 || c.Limit > 0.95 {
		return fmt.Errorf("limit is %g, not between 0 and 0.95", c.Limit)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Shares)) {
		if share := c.Shares[name]; share <= 0 || share > 1 {
			return fmt.Errorf("shares.%s is %g, not above 0 and up to 1", name, share)
		}
		if !slices.Contains(sources, name) {
			return fmt.Errorf("shares.%s is of no source that is configured", name)
		}
	}
	return nil
}

func (c *Config) limit() float64 {
	if c.Limit == 0 {
		return defaultLimit
	}
	return c.Limit
}

// share is that of a source among so many.
func (c *Config) share(name string, sources int) float64 {
	if s, ok := c.Shares[name]; ok {
		return s
	}
	return max(defaultShare, 1/float64(max(sources, 1)))
}
