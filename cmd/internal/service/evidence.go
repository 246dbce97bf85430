package service

import (
	"context"
	"fmt"
	"net/url"

	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/evidence"
)

// evidence is where captures are kept.
func (s *service) evidence(ctx context.Context) (*evidence.Store, error) {
	c := s.Config.Respond.Evidence
	store := &evidence.Store{Logger: s.logger}
	switch {
	case c.Directory != "":
		store.Blobs = evidence.Directory(s.Config.Path(c.Directory))
	case c.Bucket != nil:
		b := *c.Bucket
		access, err := b.AccessKey.Read(s.Config.Dir)
		if err != nil {
			return nil, fmt.Errorf("evidence access_key: %w", err)
		}
		secret, err := b.SecretKey.Read(s.Config.Dir)
		if err != nil {
			return nil, fmt.Errorf("evidence secret_key: %w", err)
		}
		var inside []string
		if u, err := url.Parse(b.URL); err == nil && b.AllowPrivate {
			inside = append(inside, u.Hostname())
		}
		client := telemetry.HTTPClient(telemetry.ClientOptions{Inside: inside, MaxResponse: c.Limit})
		store.Blobs, err = evidence.NewBucket(evidence.BucketConfig{
			URL: b.URL, Bucket: b.Name, Region: b.Region, AccessKey: access, SecretKey: secret, Transport: client.Transport,
		})
		if err != nil {
			return nil, err
		}
	default:
		objects, err := s.bus.Objects(ctx, "evidence", c.Limit)
		if err != nil {
			return nil, err
		}
		store.Blobs = evidence.Stream{Objects: objects}
	}
	return store, nil
}
