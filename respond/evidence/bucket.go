package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// BucketConfig says where an S3-compatible bucket is. Requests are signed with
// AWS Signature Version 4.
type BucketConfig struct {
	// URL is the endpoint: https://HOST[:PORT].
	URL            string
	Bucket, Region string
	// AccessKey and SecretKey sign; both empty sign nothing.
	AccessKey, SecretKey string
	// Transport is what carries requests; nil is the default.
	Transport http.RoundTripper
}

// Bucket keeps objects in an S3-compatible bucket, which has to be there. With
// object lock or versions on it, nobody else can replace them either.
type Bucket struct {
	client *minio.Client
	config BucketConfig
}

// partSize is that of an upload whose length is not known: what is held in
// memory. It is the least that S3 takes.
const partSize = 5 << 20

// NewBucket makes a client. It does not connect.
func NewBucket(c BucketConfig) (*Bucket, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("bucket %s: %q is no URL of an endpoint", c.Bucket, c.URL)
	}
	o := &minio.Options{Secure: u.Scheme == "https", Region: c.Region, BucketLookup: minio.BucketLookupPath, Transport: c.Transport, MaxRetries: 3}
	if c.AccessKey != "" {
		o.Creds = credentials.NewStaticV4(c.AccessKey, c.SecretKey, "")
	}
	client, err := minio.New(u.Host, o)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", c.Bucket, err)
	}
	return &Bucket{client, c}, nil
}

// Where is the bucket.
func (b *Bucket) Where() string { return "s3://" + b.config.Bucket }

// Put uploads, and lets the server refuse what is there.
func (b *Bucket) Put(ctx context.Context, name string, body io.Reader) error {
	if _, err := b.client.StatObject(ctx, b.config.Bucket, name, minio.StatObjectOptions{}); err == nil {
		return ErrExists
	} else if !missing(err) {
		return fmt.Errorf("store %s: %w", name, err)
	}
	o := minio.PutObjectOptions{PartSize: partSize, ContentType: "application/octet-stream", DisableMultipart: false}
	o.SetMatchETagExcept("*")
	_, err := b.client.PutObject(ctx, b.config.Bucket, name, body, -1, o)
	if r := minio.ToErrorResponse(err); err != nil && r.StatusCode == http.StatusPreconditionFailed {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", name, err)
	}
	return nil
}

// Get downloads.
func (b *Bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	o, err := b.client.GetObject(ctx, b.config.Bucket, name, minio.GetObjectOptions{})
	if err == nil {
		_, err = o.Stat()
		if err != nil {
			err = errors.Join(err, o.Close())
		}
	}
	switch {
	case err != nil && missing(err):
		return nil, ErrNone
	case err != nil:
		return nil, fmt.Errorf("fetch %s: %w", name, err)
	}
	return o, nil
}

func missing(err error) bool {
	var r minio.ErrorResponse
	return errors.As(err, &r) && (r.Code == "NoSuchKey" || r.StatusCode == http.StatusNotFound && r.Code != "NoSuchBucket")
}
