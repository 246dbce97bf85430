package conf

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// SecretFile is a secret, given as the file that holds it: {file: path}. A
// secret itself can't be written in a file that is read by this package.
type SecretFile struct {
	Path string `yaml:"file,required"`
}

// maxSecretBytes is more than any token, key or certificate needs.
const maxSecretBytes = 64 << 10

// IsZero says that none was given.
func (s SecretFile) IsZero() bool { return s.Path == "" }

// String is <secret>: not even the path goes to logs.
func (s SecretFile) String() string { return "<secret>" }

// GoString is as [SecretFile.String].
func (s SecretFile) GoString() string { return "<secret>" }

// Read gives the file's content without the white space at its end. A relative
// path is relative to dir. An empty secret is an error.
func (s SecretFile) Read(dir string) (string, error) {
	path := s.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if len(data) > maxSecretBytes {
		return "", fmt.Errorf("read secret %s: more than %d bytes", path, maxSecretBytes)
	}
	secret := strings.TrimRight(string(data), " \t\r\n")
	if secret == "" {
		return "", fmt.Errorf("read secret %s: empty", path)
	}
	return secret, nil
}

// Exposed says that others than owner and group may read the file: worth a
// warning. A file that can't be looked at is not exposed.
func (s SecretFile) Exposed(dir string) bool {
	path := s.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o004 != 0
}
