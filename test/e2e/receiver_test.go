package e2e

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/respond/notify"
)

const receiverSecret = "of the receiver"

// receiver is a strict receiver of signed JSON: whatever is not just as it is
// documented fails the test. It loses its answer when the trial's tap says so.
type receiver struct {
	c      *trial
	server *httptest.Server
	shape  func() any

	mu sync.Mutex
	// seen are the bodies by the keys that they came with.
	seen map[string][]byte
}

// newReceiver starts one that takes JSON of that shape.
func newReceiver(c *trial, shape func() any) *receiver {
	r := &receiver{c: c, shape: shape, seen: map[string][]byte{}}
	r.server = httptest.NewTLSServer(r)
	c.t.Cleanup(r.server.Close)
	return r
}

// ServeHTTP takes a message.
func (v *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = v.take(r, body)
	}
	if err != nil {
		v.c.t.Errorf("receiver: %v: %.300s", err, body)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if v.c.tap.wrote() {
		panic(http.ErrAbortHandler) // it was taken, and nobody hears of it
	}
}

func (v *receiver) take(r *http.Request, body []byte) error {
	key := r.Header.Get(notify.KeyHeader)
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json":
		return fmt.Errorf("%s of %s", r.Method, r.Header.Get("Content-Type"))
	case key == "":
		return fmt.Errorf("no %s", notify.KeyHeader)
	}
	if err := signed(r.Header.Get(notify.SignatureHeader), body); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v.shape()); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if before, again := v.seen[key]; again && !bytes.Equal(before, body) {
		return fmt.Errorf("another message under key %s: %s", key, before)
	}
	v.seen[key] = body
	return nil
}

// signed checks a signature as a receiver does, without Firebreak's own code.
func signed(header string, body []byte) error {
	at, mac, _ := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	unix, err := strconv.ParseInt(at, 10, 64)
	if err != nil || time.Since(time.Unix(unix, 0)).Abs() > time.Hour {
		return fmt.Errorf("signature %q is of no time near", header)
	}
	if !hmac.Equal([]byte(mac), []byte(hexMAC(receiverSecret, at+"."+string(body)))) {
		return fmt.Errorf("signature %q is not of the body", header)
	}
	return nil
}

// heard are the keys of what came.
func (v *receiver) heard() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.seen)
}
