package record

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/firebreak-io/firebreak/test/controlplane"
)

// Stage is a control plane with those who act on it.
type Stage struct {
	cluster *controlplane.Cluster
	log     io.Writer
	ca      *x509.Certificate
	caKey   *ecdsa.PrivateKey

	mu      sync.Mutex
	marks   []Mark
	tokens  map[string]string // of service accounts, by NAMESPACE/NAME
	clients map[string]*http.Client
}

// Who is one who sends requests.
type Who struct {
	// User is one of users, a service account as NAMESPACE/NAME, a node as system:node:NAME, or
	// empty for nobody.
	User string
	// Agent is the client's name for itself; empty for kubectl.
	Agent string
	// From is the address of the connection, one of 127.0.0.0/8; empty for 127.0.0.1.
	From string
	// Forwarded is the address that a proxy says the request came from.
	Forwarded string
	// As and Groups are impersonated.
	As     string
	Groups []string
	// token and certificate take the place of what the user has.
	token     string
	key, cert []byte
}

const kubectl = "kubectl/v1.36.3 (linux/amd64) kubernetes/3df1b35"

func newStage(c *controlplane.Cluster, log io.Writer) (*Stage, error) {
	s := &Stage{cluster: c, log: log, tokens: map[string]string{}, clients: map[string]*http.Client{}}
	cert, err := readPEM(filepath.Join(c.Dir, "certs", "ca.crt"))
	if err != nil {
		return nil, err
	}
	if s.ca, err = x509.ParseCertificate(cert); err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	key, err := readPEM(filepath.Join(c.Dir, "certs", "ca.key"))
	if err != nil {
		return nil, err
	}
	if s.caKey, err = x509.ParseECPrivateKey(key); err != nil {
		return nil, fmt.Errorf("read key of the authority: %w", err)
	}
	return s, nil
}

func readPEM(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("read authority: it is no PEM")
	}
	return block.Bytes, nil
}

func (s *Stage) config(w Who) (*rest.Config, error) {
	config := &rest.Config{Host: s.cluster.Server, QPS: 200, Burst: 400, UserAgent: w.Agent, Timeout: 2 * time.Minute}
	config.CAFile = s.cluster.CA
	config.Impersonate = rest.ImpersonationConfig{UserName: w.As, Groups: w.Groups}
	if w.Agent == "" {
		config.UserAgent = kubectl
	}
	if w.From != "" {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(w.From)}, Timeout: time.Minute}
		config.Dial = dialer.DialContext
	}
	if w.Forwarded != "" {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return forwarded{next, w.Forwarded} })
	}
	return config, s.credential(config, w)
}

// credential puts in how they prove who they are.
func (s *Stage) credential(config *rest.Config, w Who) (err error) {
	s.mu.Lock()
	token, account := s.tokens[w.User]
	s.mu.Unlock()
	switch user, known := s.cluster.Users[w.User]; {
	case w.token != "":
		config.BearerToken = w.token
	case w.key != nil:
		config.CertData, config.KeyData = w.cert, w.key
	case account:
		config.BearerToken = token
	case known:
		config.BearerToken = user.Token
	case w.User != "":
		config.CertData, config.KeyData, err = s.certificate(w.User, "system:nodes")
	}
	return err
}

// certificate signs one as a cluster's installer does for its nodes.
func (s *Stage) certificate(name string, groups ...string) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name, Organization: groups},
		NotBefore: s.ca.NotBefore, NotAfter: s.ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.ca, private.Public(), s.caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate of %s: %w", name, err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("make key of %s: %w", name, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), nil
}

// forwarded is what a proxy in front of the API server adds.
type forwarded struct {
	next    http.RoundTripper
	address string
}

// RoundTrip adds the address to a copy of the request.
func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.address)
	return f.next.RoundTrip(r)
}

// eventually asks until the answer is no error, for three minutes: the machine may do other work.
func eventually(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return err
		}
	}
}
