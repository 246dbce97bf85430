package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// HTTPConfig is the configuration of a source that is posted by HTTP. At
// least one of Token and Path must be set: nothing is open.
type HTTPConfig struct {
	// Token names the file of the bearer token that a client sends as
	// "Authorization: Bearer TOKEN".
	Token SecretRef `yaml:"token,omitempty" json:"token,omitzero"`
	// Path names the file of the secret that stands last in the URL's path,
	// for a client that can send no header (Falco's http_output).
	Path SecretRef `yaml:"path,omitempty" json:"path,omitzero"`
	// MaxBody is the most bytes of a body, before and after decompression.
	MaxBody int64 `yaml:"max_body,omitempty" json:"max_body,omitempty"`
}

// SecretRef refers to a secret by the file that holds it.
type SecretRef struct {
	File string `yaml:"file" json:"file"`
}

// minSecret is the fewest bytes of a credential.
const minSecret = 16

// Read gives the secret without the white space around it; nil when no file
// is named. The error doesn't repeat what the file holds.
func (s SecretRef) Read() ([]byte, error) {
	if s.File == "" {
		return nil, nil
	}
	data, err := os.ReadFile(s.File)
	if err != nil {
		return nil, fmt.Errorf("read secret: %w", err)
	}
	data = bytes.TrimSpace(data)
	if len(data) < minSecret || bytes.ContainsAny(data, "\r\n/ ") {
		return nil, fmt.Errorf("read secret %s: want one word of at least %d bytes without a slash", s.File, minSecret)
	}
	return data, nil
}

// Credential reads both secrets. It is an error when there is none.
func (c HTTPConfig) Credential() (Credential, error) {
	token, err := c.Token.Read()
	if err != nil {
		return Credential{}, err
	}
	path, err := c.Path.Read()
	if err != nil {
		return Credential{}, err
	}
	if token == nil && path == nil {
		return Credential{}, errors.New("neither token nor path is set: a source needs a credential")
	}
	return Credential{Bearer: token, Path: path}, nil
}
