package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// places are all kinds of place.
func places(t *testing.T) map[string]Blobs {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	objects, err := b.Objects(t.Context(), "EVIDENCE", 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	bucket, _ := newBucket(t, "right")
	return map[string]Blobs{"directory": Directory(t.TempDir()), "jetstream": Stream{objects}, "s3": bucket}
}

func TestKeepAndRead(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			s := &Store{Blobs: place}
			// More than one part and chunk, and bytes of all values.
			data := bytes.Repeat([]byte("\x00\xff\nline\r"), 700_000)
			o, err := s.Keep(t.Context(), "run/step/log.txt", Reading(bytes.NewReader(data), 16<<20))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(data)
			if o.Size != int64(len(data)) || o.SHA256 != hex.EncodeToString(sum[:]) || o.Truncated {
				t.Errorf("%+v", o)
			}
			again, err := s.Keep(t.Context(), "run/step/log.txt", Reading(strings.NewReader("another"), 100))
			if err != nil || again.SHA256 != o.SHA256 {
				t.Errorf("kept twice: %+v %v", again, err)
			}
			var back bytes.Buffer
			if _, err := s.Read(t.Context(), "ann", "run/step/log.txt", &back); err != nil || !bytes.Equal(back.Bytes(), data) {
				t.Error("not read back", err)
			}
			if _, err := s.Find(t.Context(), "run/step/none"); !errors.Is(err, ErrNone) {
				t.Error(err)
			}
			if err := s.Begin(t.Context(), "run/step/exec"); err != nil {
				t.Error(err)
			}
			if err := s.Begin(t.Context(), "run/step/exec"); !errors.Is(err, ErrExists) {
				t.Error(err)
			}
			if err := place.Put(t.Context(), "run/step/log.txt", strings.NewReader("x")); !errors.Is(err, ErrExists) {
				t.Error("it was replaced:", err)
			}
		})
	}
}

// What ends in an error is not kept, and can be kept after.
func TestWhatFailsIsNotKept(t *testing.T) {
	broken := errors.New("connection lost")
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			s := &Store{Blobs: place}
			body := Writing(t.Context(), 1<<20, func(_ context.Context, w io.Writer) error {
				if _, err := w.Write(make([]byte, 200_000)); err != nil {
					return err
				}
				return broken
			})
			defer body.Close()
			if _, err := s.Keep(t.Context(), "a/b", body); !errors.Is(err, broken) {
				t.Fatal(err)
			}
			if _, err := s.Find(t.Context(), "a/b"); !errors.Is(err, ErrNone) {
				t.Error(err)
			}
			if o, err := s.Keep(t.Context(), "a/b", Reading(strings.NewReader("whole"), 100)); err != nil || o.Size != 5 {
				t.Error(o, err)
			}
		})
	}
}

// An endless body is cut, its writer is stopped, and the object says so.
func TestWhatIsTooLongIsCut(t *testing.T) {
	s := &Store{Blobs: Directory(t.TempDir())}
	var stopped error
	body := Writing(t.Context(), 100_000, func(_ context.Context, w io.Writer) error {
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				stopped = err
				return err
			}
		}
	})
	o, err := s.Keep(t.Context(), "endless", body)
	body.Close()
	if err != nil || o.Size != 100_000 || !o.Truncated || stopped == nil {
		t.Error(o, err, stopped)
	}
	whole, err := s.Keep(t.Context(), "just", Reading(bytes.NewReader(make([]byte, 100)), 100))
	if err != nil || whole.Truncated || whole.Size != 100 {
		t.Error("one that is just as long is not cut", whole, err)
	}
}

// A beginning that a crash left is not taken for the whole.
func TestWhatWasBegunBeforeACrash(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			if err := place.Put(t.Context(), "a/b", strings.NewReader("of before")); err != nil {
				t.Fatal(err)
			}
			s := &Store{Blobs: place}
			o, err := s.Keep(t.Context(), "a/b", Reading(strings.NewReader("now"), 100))
			if err != nil || o.Name != "a/b.2" || o.Size != 3 {
				t.Fatal(o, err)
			}
			var back bytes.Buffer
			if _, err := s.Read(t.Context(), "ann", "a/b", &back); err != nil || back.String() != "now" {
				t.Error(back.String(), err)
			}
		})
	}
}

func TestTampered(t *testing.T) {
	dir := t.TempDir()
	s := &Store{Blobs: Directory(dir)}
	if _, err := s.Keep(t.Context(), "a/b", Reading(strings.NewReader("as it was"), 100)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a/b"), []byte("as it is!"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), "ann", "a/b", io.Discard); !errors.Is(err, ErrTampered) {
		t.Error(err)
	}
}

func TestNamesLeadNowhereElse(t *testing.T) {
	s := &Store{Blobs: Directory(t.TempDir())}
	for _, name := range []string{"", "/etc/passwd", "../x", "a/../../x", "a//b", "a b", "a\x00b", "ü", strings.Repeat("a", 600)} {
		if _, err := s.Keep(t.Context(), name, Reading(strings.NewReader("x"), 10)); err == nil {
			t.Errorf("%q was taken", name)
		}
		if err := s.Begin(t.Context(), name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
