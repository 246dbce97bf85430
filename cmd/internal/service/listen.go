package service

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
)

// The bounds of a connection. A slow or endless request costs little.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 60 * time.Second
	writeTimeout  = 90 * time.Second
	idleTimeout   = 120 * time.Second
	maxHeader     = 16 << 10
	graceTimeout  = 10 * time.Second

	// maxConnections is how many may be open at an address, and maxPerClient
	// how many of them from one client's address.
	maxConnections = 1024
	maxPerClient   = 256
	// maxStreams is how many requests one connection of HTTP/2 may have under
	// way.
	maxStreams = 128
)

// serve listens at address and serves until ctx ends; requests under way are
// then given time to end. Without TLS secure is nil.
func serve(ctx context.Context, group *errgroup.Group, logger *slog.Logger, address string, secure *secure, handler http.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	listener = perClient(netutil.LimitListener(listener, maxConnections), maxPerClient)
	if secure != nil {
		listener = tls.NewListener(listener, secure.config())
		handler = secure.forget(handler)
	}
	server := newServer(logger, handler)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", address, err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceTimeout)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			return errors.Join(fmt.Errorf("stop %s: %w", address, err), server.Close())
		}
		return nil
	})
	return nil
}

func newServer(logger *slog.Logger, handler http.Handler) *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	// For gRPC on loopback, where TLS is not needed.
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		Protocols: protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, MaxReadFrameSize: 64 << 10,
			SendPingTimeout: idleTimeout, PingTimeout: headerTimeout, WriteByteTimeout: readTimeout,
		},
	}
}
