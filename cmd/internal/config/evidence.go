package config

import (
	"net/url"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Evidence says where captures of suspects are kept: in the streams' own object
// store unless a directory or a bucket is named.
type Evidence struct {
	// Limit bounds the object store of the streams, in bytes: 1 GiB if it says
	// nothing. What is over it is refused.
	Limit int64 `yaml:"limit"`
	// Directory is a local one, or a volume.
	Directory string `yaml:"directory"`
	// Bucket is S3-compatible, and has to be there.
	Bucket *Bucket `yaml:"bucket"`
}

// Bucket is where an S3-compatible bucket is, and with whose keys.
type Bucket struct {
	// URL is the endpoint's.
	URL    string `yaml:"url,required"`
	Name   string `yaml:"name,required"`
	Region string `yaml:"region"`
	// AccessKey and SecretKey sign requests (AWS Signature Version 4).
	AccessKey conf.SecretFile `yaml:"access_key,required"`
	SecretKey conf.SecretFile `yaml:"secret_key,required"`
	// AllowPrivate lets it be in a private network.
	AllowPrivate bool `yaml:"allow_private"`
}

// defaultEvidence bounds the streams' own object store.
const defaultEvidence = 1 << 30

func (c *Config) checkEvidence(p *problems) {
	e := &c.Respond.Evidence
	const at = "spec.respond.evidence"
	if e.Limit < 0 {
		p.add(at+".limit", "a limit is not negative")
	}
	if e.Limit == 0 {
		e.Limit = defaultEvidence
	}
	if e.Directory != "" && e.Bucket != nil {
		p.add(at, "evidence is kept in a directory or in a bucket, not in both")
	}
	if e.Bucket == nil {
		return
	}
	u, err := url.Parse(e.Bucket.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !e.Bucket.AllowPrivate) {
		p.add(at+".bucket.url", "want an https URL of a host; http only with allow_private")
	}
}
