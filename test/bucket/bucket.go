// Package bucket is as much of an S3-compatible store as tests of evidence need,
// over TLS. It is strict: a request whose signature (AWS Signature Version 4) is not
// right is refused.
package bucket

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Name is the bucket's.
const Name = "evidence"

// Key is who may use it.
const Key = "key"

// Secret signs for Key.
const Secret = "right"

// Server is one bucket, called evidence. It takes nothing that is not signed
// with [Key] and [Secret].
type Server struct {
	// URL is the endpoint, Transport trusts its certificate.
	URL       string
	Transport http.RoundTripper

	mu      sync.Mutex
	objects map[string][]byte
	uploads map[string]map[int][]byte
	refused int
	// cuts is how many uploads of a part are cut off; the connection is gone then.
	cuts int
}

// ServeHTTP answers as S3 does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.signed(r, body)
	}
	if err != nil {
		s.refused++
		s.fail(w, r, http.StatusForbidden, "SignatureDoesNotMatch")
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/evidence/")
	if !ok {
		s.fail(w, r, http.StatusNotFound, "NoSuchBucket")
		return
	}
	q := r.URL.Query()
	object, there := s.objects[name]
	switch id := q.Get("uploadId"); {
	case r.Method == http.MethodPost && q.Has("uploads"):
		id = strconv.Itoa(len(s.uploads) + 1)
		s.uploads[id] = map[int][]byte{}
		_, _ = fmt.Fprintf(w, "<InitiateMultipartUploadResult><Bucket>evidence</Bucket><Key>%s</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>", name, id)
	case r.Method == http.MethodPut && id != "" && s.cuts > 0:
		s.cuts--
		panic(http.ErrAbortHandler)
	case r.Method == http.MethodPut && id != "":
		n, _ := strconv.Atoi(q.Get("partNumber"))
		s.uploads[id][n] = body
		w.Header().Set("ETag", etag(body))
	case r.Method == http.MethodPost && id != "":
		if there && r.Header.Get("If-None-Match") == "*" {
			s.fail(w, r, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		var whole []byte
		for n := 1; n <= len(s.uploads[id]); n++ {
			whole = append(whole, s.uploads[id][n]...)
		}
		s.objects[name] = whole
		_, _ = fmt.Fprintf(w, "<CompleteMultipartUploadResult><Bucket>evidence</Bucket><Key>%s</Key><ETag>%s</ETag></CompleteMultipartUploadResult>", name, etag(whole))
	case r.Method == http.MethodDelete && id != "":
		delete(s.uploads, id)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut:
		if there && r.Header.Get("If-None-Match") == "*" {
			s.fail(w, r, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		s.objects[name] = body
		w.Header().Set("ETag", etag(body))
	case !there:
		s.fail(w, r, http.StatusNotFound, "NoSuchKey")
	default:
		w.Header().Set("ETag", etag(object))
		w.Header().Set("Last-Modified", "Mon, 02 Jan 2026 15:04:05 GMT")
		w.Header().Set("Content-Length", strconv.Itoa(len(object)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(object)
		}
	}
}

func etag(data []byte) string {
	sum := md5.Sum(data)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_ = xml.NewEncoder(w).Encode(struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
		}{Code: code})
	}
}

// signed checks the signature of a request, see
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
func (s *Server) signed(r *http.Request, body []byte) error {
	parts := map[string]string{}
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return errors.New("no signature")
	}
	for part := range strings.SplitSeq(text, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[k] = v
	}
	scope := strings.SplitN(parts["Credential"], "/", 2)
	if len(scope) != 2 || scope[0] != Key {
		return errors.New("another key")
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if sum := sha256.Sum256(body); payload != "UNSIGNED-PAYLOAD" && payload != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("payload is %s", payload)
	}
	names := strings.Split(parts["SignedHeaders"], ";")
	if !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-date") {
		return errors.New("host and date are not signed")
	}
	var headers strings.Builder
	for _, n := range names {
		v := r.Header.Get(n)
		switch n {
		case "host":
			v = r.Host
		case "content-length":
			v = strconv.FormatInt(r.ContentLength, 10)
		}
		headers.WriteString(n + ":" + strings.TrimSpace(v) + "\n")
	}
	query := strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")
	canonical := strings.Join([]string{r.Method, (&url.URL{Path: r.URL.Path}).EscapedPath(), query, headers.String(), parts["SignedHeaders"], payload}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	message := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope[1], hex.EncodeToString(sum[:])}, "\n")
	key := []byte("AWS4" + Secret)
	for _, part := range append(strings.Split(scope[1], "/"), message) {
		h := hmac.New(sha256.New, key)
		_, _ = h.Write([]byte(part)) // never fails
		key = h.Sum(nil)
	}
	if hex.EncodeToString(key) != parts["Signature"] {
		return errors.New("the signature is another")
	}
	return nil
}

// Start serves a bucket until the test ends.
func Start(t testing.TB) *Server {
	s := &Server{objects: map[string][]byte{}, uploads: map[string]map[int][]byte{}}
	h := httptest.NewTLSServer(s) // over TLS the payload is not signed by chunks
	t.Cleanup(h.Close)
	s.URL, s.Transport = h.URL, h.Client().Transport
	return s
}

// Cut has the next uploads of a part cut off: the connection is gone.
func (s *Server) Cut(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cuts = n
}

// Refused is how many requests were not signed as they should be.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Len is how many objects there are.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.objects)
}

// Tamper changes one byte of an object, as who can write to the bucket can.
func (s *Server) Tamper(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := slices.Clone(s.objects[name])
	data[len(data)/2]++
	s.objects[name] = data
}
