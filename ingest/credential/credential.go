package credential

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Set is what opens one source. It prints as <secret>, and is safe for
// concurrent use.
type Set struct {
	tokens *conf.Fresh[[]Hash] // nil: none
	paths  *conf.Fresh[[]Hash] // nil: none
	names  map[string]bool
	both   bool
}

// Open reads the files of a configuration, relative to dir. It is an error
// when there is nothing to show, and when a secret is short or could not
// stand in a URL. What changes later goes to the logger.
func Open(c Config, dir string, logger *slog.Logger) (*Set, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	s := &Set{names: map[string]bool{}, both: c.Require == Both}
	for _, name := range c.Names {
		s.names[name] = true
	}
	var err error
	if !c.Token.IsZero() || len(c.Tokens) > 0 {
		plain, hashed := conf.SecretFiles{c.Token}, c.Tokens
		if c.Token.IsZero() {
			plain = nil
		}
		if s.tokens, err = openFiles("tokens", dir, logger, plain, hashed); err != nil {
			return nil, err
		}
	}
	if !c.Path.IsZero() {
		if s.paths, err = openFiles("path", dir, logger, conf.SecretFiles{c.Path}, nil); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func openFiles(name, dir string, logger *slog.Logger, plain, hashed conf.SecretFiles) (*conf.Fresh[[]Hash], error) {
	read := func() ([]Hash, error) {
		var all []Hash
		for i, file := range slices.Concat(plain, hashed) {
			text, err := file.Read(dir)
			if err != nil {
				return nil, err
			}
			list, err := parse(text, i < len(plain))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file.In(dir), err)
			}
			all = append(all, list...)
		}
		return all, nil
	}
	var paths []string
	for _, file := range slices.Concat(plain, hashed) {
		paths = append(paths, file.In(dir))
	}
	return conf.NewFresh(name, logger, read, paths...)
}

// Fixed makes a set of a token and a secret path that stay as they are, ""
// for none: for tests, and for what makes its own secrets. One that is too
// short lets nobody in.
func Fixed(token, path string) *Set {
	keep := func(secret string) *conf.Fresh[[]Hash] {
		if len(secret) < MinSecret {
			return nil
		}
		f, _ := conf.NewFresh("secret", nil, func() ([]Hash, error) { return []Hash{HashOf(secret)}, nil }) // can't fail
		return f
	}
	return &Set{tokens: keep(token), paths: keep(path)}
}

// Empty says that nobody could ever be let in. It may be called on nil.
func (s *Set) Empty() bool {
	return s == nil || s.tokens == nil && s.paths == nil && len(s.names) == 0
}

// String hides the secrets.
func (s *Set) String() string { return "<secret>" }

// GoString hides the secrets.
func (s *Set) GoString() string { return "<secret>" }
