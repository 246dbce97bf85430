package ingest

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/firebreak-io/firebreak/ingest/credential"
	"github.com/firebreak-io/firebreak/ingest/limit"
)

// HTTPConfig is the configuration of a source that is posted by HTTP.
type HTTPConfig struct {
	// Credential is what a client must show: token, tokens, path, names,
	// require.
	credential.Config `yaml:",inline"`
	// MaxBody is the most bytes of a body, before and after decompression.
	MaxBody int64 `yaml:"max_body,omitempty"`
	// Limit bounds how much is taken in a time; by default nothing does.
	Limit limit.Config `yaml:"limit,omitempty"`
	// Volume says what is stored one by one: store, summarise.
	Volume `yaml:",inline"`
}

// postedConfig is an [HTTPConfig], or what embeds one.
type postedConfig interface{ posted() *HTTPConfig }

func (c *HTTPConfig) posted() *HTTPConfig { return c }

// Check says what of the configuration could not be used, without reading any
// file.
func (c *HTTPConfig) Check() error {
	if err := c.Config.Check(); err != nil {
		return err
	}
	if c.MaxBody <= 0 {
		return errors.New("max_body is not above zero")
	}
	return c.Limit.Check()
}

func checkProxies(trusted []netip.Prefix) error {
	for _, p := range trusted {
		if p.Bits() == 0 {
			return fmt.Errorf("trusted_proxies: %s would believe everybody", p)
		}
	}
	return nil
}

// ShipperConfig is the configuration of a source whose events are lines that
// a shipper has read from containers' logs.
type ShipperConfig struct {
	HTTPConfig `yaml:",inline"`
	// TrustedProxies are as in [LogConfig].
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies,omitempty"`
}

// Check says what of the configuration could not be used, without reading any
// file.
func (c *ShipperConfig) Check() error {
	if err := c.HTTPConfig.Check(); err != nil {
		return err
	}
	return checkProxies(c.TrustedProxies)
}
