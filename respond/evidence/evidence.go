// Package evidence keeps what was captured of a suspect: logs, files, packets.
// It goes to an object store as it is, with nothing redacted, before anything is
// destroyed, and a receipt names it with its SHA-256 and size. Nothing that is
// kept is ever replaced, and who reads it is written to the log.
package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strings"
	"time"
)

// What a store can end in. Test with [errors.Is].
var (
	// ErrNone: there is no such object.
	ErrNone = errors.New("no such evidence")
	// ErrExists: there is one already, and it is not replaced.
	ErrExists = errors.New("evidence is there already")
	// ErrTampered: what is stored is not what was kept.
	ErrTampered = errors.New("is not what was kept")
)

// Blobs is a place for objects. It may be used concurrently. Put stores all that
// body gives under a name, or nothing if body ends in an error; it never
// replaces ([ErrExists]). Get of what is not there is [ErrNone].
type Blobs interface {
	Put(ctx context.Context, name string, body io.Reader) error
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// Where names the place for people.
	Where() string
}

// Object is something that is kept.
type Object struct {
	Name   string    `json:"name"`
	Where  string    `json:"where"`
	SHA256 string    `json:"sha256"`
	Size   int64     `json:"bytes"`
	Time   time.Time `json:"time"`
	// Truncated says that there was more than may be kept.
	Truncated bool `json:"truncated,omitempty"`
}

// String names it for people.
func (o Object) String() string {
	s := fmt.Sprintf("%s/%s, %d bytes, sha256 %s", o.Where, o.Name, o.Size, o.SHA256)
	if o.Truncated {
		s += ", cut there"
	}
	return s
}

// Store keeps evidence in some place.
type Store struct {
	Blobs  Blobs
	Logger *slog.Logger
	// Now is the clock; nil is the system's.
	Now func() time.Time
}

// The object that says what another one is, written last: what has none was not
// kept whole.
const manifest = ".manifest.json"

// maxManifest bounds one.
const maxManifest = 16 << 10

// Keep stores what body gives, and says what it was. What is kept under the name
// already is given back as it is, and body is not read. One that was begun, but
// of which it is not known that it is whole, is kept beside it under another name.
func (s *Store) Keep(ctx context.Context, name string, body *Body) (Object, error) {
	if err := checkName(name); err != nil {
		return Object{}, err
	}
	if o, err := s.Find(ctx, name); !errors.Is(err, ErrNone) {
		return o, err
	}
	o := Object{Where: s.Blobs.Where(), Time: s.now()}
	for n := 1; ; n++ {
		if o.Name = name; n > 1 {
			o.Name = fmt.Sprintf("%s.%d", name, n)
		}
		err := s.Blobs.Put(ctx, o.Name, body)
		if errors.Is(err, ErrExists) && !body.begun && n < maxTries {
			continue
		}
		if err != nil {
			return Object{}, fmt.Errorf("keep %s: %w", name, err)
		}
		break
	}
	o.SHA256, o.Size, o.Truncated = hex.EncodeToString(body.hash.Sum(nil)), body.size, body.truncated
	text, err := json.Marshal(o)
	if err != nil {
		return Object{}, fmt.Errorf("keep %s: %w", name, err)
	}
	err = s.Blobs.Put(ctx, name+manifest, bytes.NewReader(text))
	if errors.Is(err, ErrExists) {
		return s.Find(ctx, name) // somebody else kept it meanwhile
	}
	if err != nil {
		return Object{}, fmt.Errorf("keep %s: %w", name, err)
	}
	if s.Logger != nil {
		s.Logger.InfoContext(ctx, "evidence kept", "object", o.Name, "where", o.Where, "bytes", o.Size, "sha256", o.SHA256)
	}
	return o, nil
}

// maxTries bounds how many beginnings of one name there may be.
const maxTries = 8

// Find says what is kept under a name.
func (s *Store) Find(ctx context.Context, name string) (Object, error) {
	if checkName(name) != nil {
		return Object{}, fmt.Errorf("find evidence: %w", ErrNone) // nothing can be kept under it
	}
	r, err := s.Blobs.Get(ctx, name+manifest)
	if err != nil {
		return Object{}, fmt.Errorf("find %s: %w", name, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxManifest))
	if err != nil {
		return Object{}, fmt.Errorf("find %s: %w", name, err)
	}
	var o Object
	if err := json.Unmarshal(text, &o); err != nil {
		return Object{}, fmt.Errorf("find %s: %w: %w", name, ErrTampered, err)
	}
	return o, nil
}

// Begin notes that something is about to be done whose outcome will be kept
// under the name. It gives [ErrExists] if that was noted before.
func (s *Store) Begin(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := s.Blobs.Put(ctx, name+".begun", strings.NewReader(s.now().Format(time.RFC3339))); err != nil {
		return fmt.Errorf("begin %s: %w", name, err)
	}
	return nil
}

// Read writes what is kept under a name to w, and notes in the log who reads.
// What is not as it was kept is [ErrTampered], known at the end.
func (s *Store) Read(ctx context.Context, who, name string, w io.Writer) (Object, error) {
	o, err := s.Find(ctx, name)
	if err != nil {
		return o, err
	}
	if s.Logger != nil {
		s.Logger.WarnContext(ctx, "evidence is read", "object", o.Name, "where", o.Where, "by", who)
	}
	r, err := s.Blobs.Get(ctx, o.Name)
	if err != nil {
		return o, fmt.Errorf("read %s: %w", name, err)
	}
	defer r.Close()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(r, o.Size+1))
	switch {
	case err != nil:
		return o, fmt.Errorf("read %s: %w", name, err)
	case n != o.Size || hex.EncodeToString(hash.Sum(nil)) != o.SHA256:
		return o, fmt.Errorf("read %s: %w", name, ErrTampered)
	}
	return o, nil
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now()
}

// checkName lets no name lead out of the store.
func checkName(name string) error {
	bad := name == "" || len(name) > 512 || path.Clean(name) != name || path.IsAbs(name) || strings.HasPrefix(name, "..")
	if bad || strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_./", c)
	}) {
		return fmt.Errorf("evidence %q: not a name of one", name)
	}
	return nil
}
