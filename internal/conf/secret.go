package conf

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// SecretFile is a secret, given as the file that holds it: {file: path}. A
// secret itself can't be written in a file that is read by this package.
type SecretFile struct {
	Path string `yaml:"file,required"`
}

// maxSecretBytes is more than any token, key or certificate needs.
const maxSecretBytes = 64 << 10

// SecretFiles are secrets, each in a file: {file: path}, or a list of them.
type SecretFiles []SecretFile

func (s *SecretFiles) decodeNode(d *decoder, n ast.Node) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		*s = make(SecretFiles, 1)
		(*s)[0].decodeNode(d, n)
		return
	}
	*s = make(SecretFiles, len(list.Values))
	for i, item := range list.Values {
		(*s)[i].decodeNode(d, item)
	}
}

// IsZero says that none was given.
func (s SecretFile) IsZero() bool { return s.Path == "" }

// decodeNode does not repeat what it can't read: it may be the secret itself,
// and problems go to logs.
func (s *SecretFile) decodeNode(d *decoder, n ast.Node) {
	type plain SecretFile
	inner := &decoder{part: d.part, text: d.text}
	inner.value(n, reflect.ValueOf((*plain)(s)).Elem())
	if len(inner.problems) == 0 {
		return
	}
	d.errorf(n, "a secret is given as the file that holds it: {file: PATH}")
	line, _ := place(d.part, n)
	d.secret = append(d.secret, line)
}

// String is <secret>: not even the path goes to logs.
func (s SecretFile) String() string { return "<secret>" }

// GoString is as [SecretFile.String].
func (s SecretFile) GoString() string { return "<secret>" }

// In is where the file is: a relative path is relative to dir.
func (s SecretFile) In(dir string) string {
	if filepath.IsAbs(s.Path) {
		return s.Path
	}
	return filepath.Join(dir, s.Path)
}

// Read gives the file's content without the white space at its end. A relative
// path is relative to dir. An empty secret is an error.
func (s SecretFile) Read(dir string) (string, error) {
	path := s.In(dir)
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
	info, err := os.Stat(s.In(dir))
	return err == nil && info.Mode().Perm()&0o004 != 0
}
