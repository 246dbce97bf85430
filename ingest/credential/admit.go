package credential

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Shown is what a client shows. All of it is the client's own word but for
// Certificate and Address.
type Shown struct {
	// Token is a bearer token, a password or a key.
	Token string
	// Path is the last part of the path.
	Path string
	// Certificate is the client's own one, nil unless it was verified.
	Certificate *x509.Certificate
	// Address is where the client connects from: HOST:PORT.
	Address string
}

// FromRequest is what a request shows. The header is the one that the
// client's protocol has for its key besides Authorization, "" for none; path
// is the secret in the path, "" for none.
func FromRequest(req *http.Request, header, path string) Shown {
	s := Shown{Path: path, Address: req.RemoteAddr, Certificate: Verified(req.TLS), Token: FromAuthorization(req.Header.Get("Authorization"))}
	if s.Token == "" && header != "" {
		s.Token = strings.TrimSpace(req.Header.Get(header))
	}
	return s
}

// FromAuthorization is the token in an Authorization header: behind Bearer,
// or the password of basic authentication. It is "" when there is none.
func FromAuthorization(value string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return strings.TrimSpace(rest)
	case strings.EqualFold(scheme, "Basic"):
		_, password, _ := (&http.Request{Header: http.Header{"Authorization": {value}}}).BasicAuth()
		return password
	}
	return ""
}

// Verified is the client's certificate if TLS has verified it, else nil.
func Verified(state *tls.ConnectionState) *x509.Certificate {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0]
}

// Client is who was let in: the name of the certificate, else the token, else
// the address. Nothing of it goes to logs or labels.
type Client string

// Admit says whether what is shown is enough, and who shows it. It takes the
// same time for whatever is shown and wrong. A nil set admits nobody.
func (s *Set) Admit(shown Shown) (Client, bool) {
	if s == nil {
		return "", false
	}
	name, byName := s.named(shown.Certificate)
	token, byToken := Hash{}, false
	if s.tokens != nil {
		token, byToken = find(s.tokens.Get(), shown.Token)
	}
	byPath := false
	if s.paths != nil {
		_, byPath = find(s.paths.Get(), shown.Path)
	}
	secret := byToken || byPath
	if s.both && !(byName && secret) || !byName && !secret {
		return "", false
	}
	switch {
	case byName:
		return Client("name " + name), true
	case byToken:
		return Client("token " + string(token[:])), true
	}
	return Client("address " + network(shown.Address)), true
}

// named finds an allowed name of a certificate. It was verified when the
// connection was made; that may be long ago.
func (s *Set) named(c *x509.Certificate) (string, bool) {
	if c == nil || len(s.names) == 0 {
		return "", false
	}
	if now := time.Now(); now.After(c.NotAfter) || now.Before(c.NotBefore) {
		return "", false
	}
	names := append([]string{c.Subject.CommonName}, c.DNSNames...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	for _, name := range names {
		if s.names[name] {
			return name, true
		}
	}
	return "", false
}

// network is the address without its port; of an IPv6 address only the half
// that a client can't choose by itself.
func network(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
