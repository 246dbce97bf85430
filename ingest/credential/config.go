package credential

import (
	"errors"
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Config is what a client of a source must show. Nothing is open: at least
// one of Token, Tokens, Path and Names must be set. Any one that is right is
// enough, unless Require says both.
type Config struct {
	// Token is the file of the bearer token. A client sends it as
	// "Authorization: Bearer TOKEN", or as the password of basic
	// authentication, or in the header that its protocol has for it.
	Token conf.SecretFile `yaml:"token,omitempty"`
	// Tokens are files of hashes of such tokens, as `firebreak token` prints
	// them: "sha256:HEX", one a line, with comments after #.
	Tokens conf.SecretFiles `yaml:"tokens,omitempty"`
	// Path is the file of the secret that stands last in the URL's path, for
	// a client that can send no header (Falco's http_output).
	Path conf.SecretFile `yaml:"path,omitempty"`
	// Names are those of client certificates that are let in: the common name
	// or a DNS or URI name of the subject, as it is written there. The
	// certificate must be signed by a CA of listen.tls.client_ca.
	Names []string `yaml:"names,omitempty"`
	// Require is any (the default), or both: a certificate, and a token or
	// path too.
	Require Require `yaml:"require,omitempty"`
}

// Require says how much a client must show.
type Require string

// The values of Require; nothing is any.
const (
	Any  Require = "any"
	Both Require = "both"
)

// ErrNone says that a source would be open to everybody.
var ErrNone = errors.New("has no credential: set token, tokens or path (a file), or names of client certificates")

// maxNames bounds the list of allowed names.
const maxNames = 1000

// Check says what of the configuration could not be used, without reading any
// file.
func (c *Config) Check() error {
	secret := c.hasSecret()
	switch {
	case !secret && len(c.Names) == 0:
		return ErrNone
	case slices.Contains(c.Names, ""):
		return errors.New("names has an empty name")
	case len(c.Names) > maxNames:
		return fmt.Errorf("names has more than %d names", maxNames)
	case c.Require != "" && c.Require != Any && c.Require != Both:
		return fmt.Errorf("require is %q, none of any, both", c.Require)
	case c.Require == Both && (!secret || len(c.Names) == 0):
		return errors.New("require is both: set names, and one of token, tokens and path")
	}
	return nil
}

func (c *Config) hasSecret() bool {
	return !c.Token.IsZero() || len(c.Tokens) > 0 || !c.Path.IsZero()
}

// NeedsClientCA says that names are of no use without listen.tls.client_ca.
func (c *Config) NeedsClientCA() bool { return len(c.Names) > 0 }
