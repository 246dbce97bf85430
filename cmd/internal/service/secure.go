package service

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// secure makes what TLS needs of the files of the config, or nil without
// them. Certificate, key and client CA are read again when they change, for
// the connections that begin then.
//
// A client may show a certificate, and need not: people show a token. One that
// it does show must be good. Sessions are not resumed, since one that was
// verified by a CA of yesterday would be.
func secure(c *config.Config, logger *slog.Logger) (*tls.Config, error) {
	t := c.Listen.TLS
	if t.Cert == "" {
		return nil, nil
	}
	cert, key, ca := c.Path(t.Cert), c.Path(t.Key), c.Path(t.ClientCA)
	files := []string{cert, key}
	if ca != "" {
		files = append(files, ca)
	}
	fresh, err := conf.NewFresh("the certificate of listen.tls", logger, func() (*tls.Config, error) { return readTLS(cert, key, ca) }, files...)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return fresh.Get(), nil },
	}, nil
}

func readTLS(cert, key, ca string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true,
		Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"},
	}
	if ca == "" {
		return c, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("client_ca: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("client_ca: %s holds no certificate in PEM", ca)
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	return c, nil
}
