package conf

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// later makes the next Get look at the files.
func (f *Fresh[T]) later() { f.looked = f.looked.Add(-2 * freshEvery) }

func TestFresh(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	reads := 0
	read := func() (string, error) {
		reads++
		data, err := os.ReadFile(file)
		if err == nil && strings.HasPrefix(string(data), "bad") {
			err = errors.New("bad file")
		}
		return string(data), err
	}
	logger := slog.New(slog.NewTextHandler(&log, nil))
	if _, err := NewFresh("the secret", logger, read, file); err == nil || !strings.Contains(err.Error(), "the secret") {
		t.Fatalf("a missing file: %v", err)
	}
	write("one")
	f, err := NewFresh("the secret", logger, read, file)
	if err != nil {
		t.Fatal(err)
	}
	want := func(value, when string) {
		t.Helper()
		f.later()
		if got := f.Get(); got != value {
			t.Errorf("%s: got %q, want %q", when, got, value)
		}
	}
	reads = 0
	want("one", "unchanged")
	if reads != 0 {
		t.Error("an unchanged file was read again")
	}
	write("two")
	if f.Get() != "one" {
		t.Error("the files were looked at twice within a second")
	}
	want("two", "changed")
	write("bad 1")
	want("two", "bad")
	want("two", "still bad")
	if n := strings.Count(log.String(), "bad file"); n != 1 {
		t.Errorf("the same fault was logged %d times", n)
	}
	os.Remove(file)
	want("two", "gone")
	write("six")
	want("six", "good again")
	// The same size and time in another file.
	info, _ := os.Stat(file)
	write("ten")
	os.Chtimes(file, time.Time{}, info.ModTime())
	want("ten", "replaced")
}
