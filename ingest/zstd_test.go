package ingest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zstdOf compresses as shippers do: as a stream, which says no size.
func zstdOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestZstd(t *testing.T) {
	h, store, _ := newTestHandler(t)
	good := zstdOf(t, []byte(oneAlert))
	for _, c := range []struct {
		name   string
		body   []byte
		status int
		want   string
	}{
		{"good", good, 200, ""},
		{"cut", good[:len(good)-5], 400, "malformed zstd"},
		{"other", []byte(oneAlert), 400, "malformed zstd"},
		{"bomb", zstdOf(t, make([]byte, 900<<10)), 413, "compressed too well"},
		{"too large inside", zstdOf(t, varied(2<<20)), 413, "larger than"},
		// A frame that says that it holds 2^62 bytes, and one that wants a window of 2 TB.
		{"claims a size", []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0}, 413, "compressed too well"},
		{"claims a window", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 1, 0, 0}, 400, "malformed zstd"},
		{"nothing", nil, 400, "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(store.dead)
			req := httptest.NewRequest("POST", "/v1/falco", bytes.NewReader(c.body))
			req.Header = http.Header{"Authorization": {"Bearer " + testToken}, "Content-Encoding": {"zstd"}}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("answer %d %s, want %d %s", w.Code, w.Body, c.status, c.want)
			}
			if c.status != 200 && len(store.dead) != before+1 {
				t.Error("it is not kept")
			}
		})
	}
	if len(store.events()) != 1 {
		t.Errorf("%d events", len(store.events()))
	}
	if got, err := unframe(frame(1, zstdOf(t, []byte("abc"))), "zstd", 10); err != nil || string(got) != "abc" {
		t.Errorf("over gRPC: %q, %v", got, err)
	}
	if _, err := unframe(frame(1, zstdOf(t, varied(1<<20))), "zstd", 1<<10); err == nil {
		t.Error("over gRPC a message that is too large is taken")
	}
}

func FuzzZstd(f *testing.F) {
	f.Add(zstdOf(f, []byte(oneAlert)))
	f.Add(zstdOf(f, make([]byte, 1<<20)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if text, err := unzstd(data, 1<<20); err == nil && (len(text) > 1<<20 || len(text) > freeBytes+maxRatio*len(data)) {
			t.Errorf("%d bytes of %d", len(text), len(data))
		}
	})
}
