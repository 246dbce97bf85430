package telemetry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// MaxResponse is how many bytes of a response body can be read when
// ClientOptions says nothing else.
const MaxResponse = 64 << 10

// ErrResponse says that a response is larger than its bound.
var ErrResponse = errors.New("response is too large")

// ClientOptions of [HTTPClient].
type ClientOptions struct {
	// Timeout bounds a request from dial to the last byte; 0 is 10 s.
	Timeout time.Duration
	// Inside are the host names or addresses, as they stand in URLs, that
	// may lead to loopback and private addresses: what the operator listed.
	// Link-local and metadata addresses stay closed.
	Inside []string
	// MaxResponse bounds the body, in bytes.
	MaxResponse int64
	// TLS holds own authorities and client certificates.
	TLS *tls.Config
}

// HTTPClient is the one way out of the process, beside Kubernetes and NATS.
// It checks each address after the name was resolved and before the
// connection is made, so that no name leads it into the cluster or to a
// cloud's metadata. It follows no redirects (the 3xx is the response), uses
// no proxy of the environment and bounds time and size.
func HTTPClient(o ClientOptions) *http.Client {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = MaxResponse
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		config = o.TLS.Clone()
		config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	}
	transport := &http.Transport{
		DialContext:           dialer(o.Inside),
		TLSClientConfig:       config,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: o.Timeout,
		// Go's default is 1 MiB.
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
	}
	return &http.Client{
		Transport:     bounded{transport, o.MaxResponse},
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Dialer connects as [HTTPClient] does, for other protocols: only the hosts of
// inside may lead to loopback and private addresses.
func Dialer(inside []string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return dialer(inside)
}

func dialer(inside []string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		leave := slices.ContainsFunc(inside, func(s string) bool { return strings.EqualFold(s, host) })
		d := net.Dialer{Timeout: 5 * time.Second, Control: func(_, resolved string, _ syscall.RawConn) error {
			addr, err := netip.ParseAddrPort(resolved)
			if err == nil {
				err = checkAddress(addr.Addr(), leave)
			}
			if err != nil {
				return fmt.Errorf("connect to %s (%s): %w", host, resolved, err)
			}
			return nil
		}}
		return d.DialContext(ctx, network, address)
	}
}

// bounded cuts off what is larger than it says, with an error.
type bounded struct {
	next  *http.Transport
	limit int64
}

// RoundTrip makes the request and bounds the response.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: b.limit}
	return resp, nil
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] through.
func (b bounded) CloseIdleConnections() { b.next.CloseIdleConnections() }

type boundedBody struct {
	io.ReadCloser
	left int64
}

// Read reads one byte more than allowed to tell the end from the bound.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrResponse
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if b.left < 0 {
		return n - 1, ErrResponse
	}
	return n, err
}

// ReadBody reads a response to its end and closes it. It returns
// [ErrResponse] when the body is larger than the client's bound.
func ReadBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read response of %s: %w", resp.Request.URL.Host, err)
	}
	return body, nil
}
