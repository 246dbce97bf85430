package evidence

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/test/bucket"
)

func newBucket(t *testing.T, secret string) (*Bucket, *bucket.Server) {
	t.Helper()
	s := bucket.Start(t)
	b, err := NewBucket(BucketConfig{
		URL: s.URL, Bucket: bucket.Name, Region: "eu-test-1", AccessKey: bucket.Key, SecretKey: secret, Transport: s.Transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

func TestBucketWithAWrongSecret(t *testing.T) {
	b, server := newBucket(t, "wrong")
	s := &Store{Blobs: b}
	if _, err := s.Keep(t.Context(), "a/b", Reading(strings.NewReader("x"), 10)); err == nil || server.Refused() == 0 || server.Len() > 0 {
		t.Error(err, server.Refused(), server.Len())
	}
	if _, err := NewBucket(BucketConfig{URL: "ftp://x", Bucket: "b"}); err == nil {
		t.Error("no endpoint was taken")
	}
}

// An upload that is cut off goes on with the part that was lost; one that can't
// is said, leaves nothing, and can be begun anew.
func TestBucketInterrupted(t *testing.T) {
	b, server := newBucket(t, "right")
	s := &Store{Blobs: b}
	data := bytes.Repeat([]byte("0123456789"), 1_200_000) // three parts
	server.Cut(1)
	o, err := s.Keep(t.Context(), "a/resumed", Reading(bytes.NewReader(data), 1<<30))
	if err != nil || o.Size != int64(len(data)) {
		t.Fatal(o, err)
	}
	if _, err := s.Read(t.Context(), "ann", "a/resumed", io.Discard); err != nil {
		t.Error(err)
	}
	server.Cut(1000)
	if _, err := s.Keep(t.Context(), "a/lost", Reading(bytes.NewReader(data), 1<<30)); err == nil || errors.Is(err, ErrExists) {
		t.Errorf("it was kept over a connection that is gone: %v", err)
	}
	if _, err := s.Find(t.Context(), "a/lost"); !errors.Is(err, ErrNone) {
		t.Errorf("there is something of it: %v", err)
	}
	server.Cut(0)
	if o, err := s.Keep(t.Context(), "a/lost", Reading(bytes.NewReader(data), 1<<30)); err != nil || o.Size != int64(len(data)) || o.Name != "a/lost" {
		t.Error(o, err)
	}
	// Who can write to the bucket is found out.
	server.Tamper("a/lost")
	if _, err := s.Read(t.Context(), "ann", "a/lost", io.Discard); !errors.Is(err, ErrTampered) {
		t.Error(err)
	}
}
