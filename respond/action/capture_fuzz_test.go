package action

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

// blobs is a place for objects in memory.
type blobs struct {
	mu  sync.Mutex
	all map[string][]byte
}

func (b *blobs) Where() string { return "memory" }

func (b *blobs) Put(_ context.Context, name string, body io.Reader) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, there := b.all[name]; there {
		return evidence.ErrExists
	}
	b.all[name] = text
	return nil
}

func (b *blobs) Get(_ context.Context, name string) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, there := b.all[name]
	if !there {
		return nil, evidence.ErrNone
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

// talking is a cluster whose containers write this when a command runs.
type talking struct {
	*fake
	out, err []byte
	chunk    int
	code     int
}

func (c talking) Command(_ context.Context, _ event.Write, s kube.Streams) error {
	for _, to := range []struct {
		text []byte
		w    io.Writer
	}{{c.out, s.Stdout}, {c.err, s.Stderr}} {
		for text := to.text; len(text) > 0; {
			n := min(len(text), c.chunk)
			if _, err := to.w.Write(text[:n]); err != nil {
				return err
			}
			text = text[n:]
		}
	}
	if c.code != 0 {
		return &kube.ExitError{Code: c.code}
	}
	return nil
}

// FuzzCapture: whatever a container that somebody took over writes for an archive
// or an output, and however it ends, what is kept is the beginning of just that,
// no more than is asked for, under its own hash; and the receipt is bounded text.
func FuzzCapture(f *testing.F) {
	f.Add([]byte("etc/hostname\x00ustar\x00"), []byte("tar: x: no such file"), uint16(512), uint16(0), uint16(2))
	f.Add([]byte("../../etc/shadow"), []byte{0xff, 0xfe, 0}, uint16(1), uint16(3), uint16(0))
	f.Add(bytes.Repeat([]byte("é\r\n\x1b[2J"), 4000), bytes.Repeat([]byte("${x}\xc3"), 700), uint16(7), uint16(4096), uint16(65535))
	f.Fuzz(func(t *testing.T, out, said []byte, chunk, most, code uint16) {
		for _, kind := range []string{podFiles, podExec} {
			store := &blobs{all: map[string][]byte{}}
			fake := newFake()
			uid := fake.put(t, "pods", pod("web-1", map[string]string{"app": "web"}))
			c := talking{fake: fake, out: out, err: said, chunk: int(chunk) + 1, code: int(code)}
			var config any = &FilesConfig{Paths: []string{"/etc"}, MaxBytes: int64(most)}
			written := out
			if kind == podExec {
				config, written = &ExecConfig{Command: []string{"cat"}, MaxBytes: int64(most)}, bytes.Join([][]byte{out, said}, nil)
			}
			a := build(t, kind, Deps{Cluster: c, Evidence: &evidence.Store{Blobs: store}}, config)
			r := podRequest("run1/s", "web-1", uid)
			p, err := a.Plan(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			done, err := a.Do(t.Context(), r, p)
			if err != nil {
				t.Fatal(kind, err)
			}
			checkKept(t, store, done, written, mostOr(int64(most)))
		}
	})
}

func checkKept(t *testing.T, store *blobs, done event.Receipt, written []byte, most int64) {
	t.Helper()
	kept := store.all[done.Output["object"]]
	sum := sha256.Sum256(kept)
	switch {
	case int64(len(kept)) > most || !bytes.HasPrefix(written, kept):
		t.Errorf("%d bytes are kept of %d, at most %d", len(kept), len(written), most)
	case int64(len(written)) <= most && len(kept) != len(written):
		t.Errorf("%d bytes are kept of %d", len(kept), len(written))
	case done.Output["sha256"] != hex.EncodeToString(sum[:]) || done.Output["bytes"] != fmt.Sprint(len(kept)):
		t.Errorf("the receipt says %v", done.Output)
	}
	text, err := json.Marshal(done)
	if err != nil || len(text) > 64<<10 || !utf8.ValidString(strings.Join(done.Notes, "")) || !utf8.ValidString(done.Output["text"]) {
		t.Errorf("receipt of %d bytes: %v", len(text), err)
	}
}

// FuzzCheckpoint: what a kubelet answers is not believed to be well formed.
func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte(`{"items":["/var/lib/kubelet/checkpoints/checkpoint-web.tar"]}`))
	f.Add([]byte(`{"items":null}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		items, err := parseCheckpoint(answer)
		if err == nil && len(items) > len(answer) {
			t.Error(len(items))
		}
	})
}
