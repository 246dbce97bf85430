package service

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/telemetry"
	"github.com/firebreak-io/firebreak/respond/action"
)

// functions are those of the config: what steps may call, and run.
func (s *service) functions() (map[string]action.Function, map[string]action.JobTemplate, error) {
	calls := map[string]action.Function{}
	for _, w := range s.Config.Functions.Webhooks {
		f, err := s.function(w)
		if err != nil {
			return nil, nil, fmt.Errorf("function %s: %w", w.Name, err)
		}
		calls[w.Name] = f
	}
	jobs, err := s.Config.JobTemplates()
	return calls, jobs, err
}

func (s *service) function(w config.FunctionWebhook) (action.Function, error) {
	f := action.Function{URL: w.URL}
	if !w.Secret.IsZero() {
		secret, err := w.Secret.Read(s.Config.Dir)
		if err != nil {
			return f, err
		}
		f.Secret = []byte(secret)
	}
	o := telemetry.ClientOptions{TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	if w.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.Config.Path(w.Cert), s.Config.Path(w.Key))
		if err != nil {
			return f, fmt.Errorf("client certificate: %w", err)
		}
		o.TLS.Certificates = []tls.Certificate{pair}
	}
	if w.CA != "" {
		text, err := os.ReadFile(s.Config.Path(w.CA))
		if err != nil {
			return f, fmt.Errorf("ca: %w", err)
		}
		o.TLS.RootCAs = x509.NewCertPool()
		if !o.TLS.RootCAs.AppendCertsFromPEM(text) {
			return f, errors.New("ca: no certificate in it")
		}
	}
	if u, err := url.Parse(w.URL); err == nil && w.AllowPrivate {
		o.Inside = []string{u.Hostname()}
	}
	f.Client = telemetry.HTTPClient(o)
	return f, nil
}
