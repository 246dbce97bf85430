package service

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// secure is what TLS needs of the files of the config: certificate, key and
// client CA, which are read again when they change. It is nil without TLS.
//
// A client may show a certificate, and need not: people show a token. One that
// it does show must be good. Sessions are not resumed, since one that was
// verified by a CA of yesterday would be.
type secure struct{ files *conf.Fresh[tlsFiles] }

// tlsFiles is what the files held at one time.
type tlsFiles struct {
	config *tls.Config
	// roots are the client CAs.
	roots map[[sha256.Size]byte]bool
}

func newSecure(c *config.Config, logger *slog.Logger) (*secure, error) {
	t := c.Listen.TLS
	if t.Cert == "" {
		return nil, nil
	}
	cert, key, ca := c.Path(t.Cert), c.Path(t.Key), c.Path(t.ClientCA)
	files := []string{cert, key}
	if ca != "" {
		files = append(files, ca)
	}
	fresh, err := conf.NewFresh("the certificate of listen.tls", logger, func() (tlsFiles, error) { return readTLS(cert, key, ca) }, files...)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &secure{fresh}, nil
}

// config is that of a listener.
func (s *secure) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.files.Get().config, nil },
	}
}

// forget lets a request of an older connection count as one without a
// certificate when its CA was taken away since.
func (s *secure) forget(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 && !s.believes(r.TLS.VerifiedChains) {
			state := *r.TLS
			state.VerifiedChains = nil
			r = r.Clone(r.Context())
			r.TLS = &state
		}
		next.ServeHTTP(w, r)
	})
}

func (s *secure) believes(chains [][]*x509.Certificate) bool {
	roots := s.files.Get().roots
	for _, chain := range chains {
		if n := len(chain); n > 0 && roots[sha256.Sum256(chain[n-1].Raw)] {
			return true
		}
	}
	return false
}

func readTLS(cert, key, ca string) (tlsFiles, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return tlsFiles{}, err
	}
	f := tlsFiles{roots: map[[sha256.Size]byte]bool{}, config: &tls.Config{
		MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"},
	}}
	if ca == "" {
		return f, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return tlsFiles{}, fmt.Errorf("client_ca: %w", err)
	}
	f.config.ClientAuth, f.config.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return tlsFiles{}, fmt.Errorf("client_ca: %s: %w", ca, err)
		}
		f.config.ClientCAs.AddCert(root)
		f.roots[sha256.Sum256(root.Raw)] = true
	}
	if len(f.roots) == 0 {
		return tlsFiles{}, fmt.Errorf("client_ca: %s holds no certificate in PEM", ca)
	}
	return f, nil
}
