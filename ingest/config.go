package ingest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// HTTPConfig is the configuration of a source that is posted by HTTP. At
// least one of Token and Path must be set: nothing is open.
type HTTPConfig struct {
	// Token is the file of the bearer token that a client sends as
	// "Authorization: Bearer TOKEN".
	Token conf.SecretFile `yaml:"token,omitempty"`
	// Path is the file of the secret that stands last in the URL's path, for
	// a client that can send no header (Falco's http_output).
	Path conf.SecretFile `yaml:"path,omitempty"`
	// MaxBody is the most bytes of a body, before and after decompression.
	MaxBody int64 `yaml:"max_body,omitempty"`
}

// Check says what of the configuration could not be used, without reading any
// file.
func (c *HTTPConfig) Check() error {
	if c.Token.IsZero() && c.Path.IsZero() {
		return errNoCredential
	}
	if c.MaxBody <= 0 {
		return errors.New("max_body is not above zero")
	}
	return nil
}

// Check says what of the configuration could not be used.
func (c *LogConfig) Check() error {
	switch {
	case c.Directory == "":
		return errors.New("no directory to read")
	case c.Poll <= 0:
		return errors.New("poll is not above zero")
	case c.MaxFiles <= 0:
		return errors.New("max_files is not above zero")
	}
	return nil
}

var errNoCredential = errors.New("neither token nor path is set: a source needs a credential")

// minSecret is the fewest bytes of a credential.
const minSecret = 16

// Credential reads both secrets, from files relative to dir. It is an error
// when there is none, and when one is short or could not stand in a URL.
func (c HTTPConfig) Credential(dir string) (Credential, error) {
	token, err := readSecret(c.Token, dir)
	if err != nil {
		return Credential{}, fmt.Errorf("token: %w", err)
	}
	path, err := readSecret(c.Path, dir)
	if err != nil {
		return Credential{}, fmt.Errorf("path: %w", err)
	}
	if token == nil && path == nil {
		return Credential{}, errNoCredential
	}
	return Credential{Bearer: token, Path: path}, nil
}

func readSecret(file conf.SecretFile, dir string) ([]byte, error) {
	if file.IsZero() {
		return nil, nil
	}
	secret, err := file.Read(dir)
	if err != nil {
		return nil, err
	}
	if len(secret) < minSecret || strings.ContainsAny(secret, " \t\r\n/?#%") {
		return nil, fmt.Errorf("want one word of at least %d bytes without / ? # %%", minSecret)
	}
	return []byte(secret), nil
}
