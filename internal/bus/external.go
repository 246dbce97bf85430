package bus

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// dial connects to an external server and refuses one with known holes.
func dial(o Options) (*nats.Conn, error) {
	opts := connection(o)
	if o.Credentials != "" {
		opts = append(opts, nats.UserCredentials(o.Credentials))
	}
	if o.CA != "" {
		opts = append(opts, nats.RootCAs(o.CA))
	}
	if o.Cert != "" {
		opts = append(opts, nats.ClientCert(o.Cert, o.Key))
	}
	conn, err := nats.Connect(o.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	version := conn.ConnectedServerVersion()
	if err := checkVersion(version); err != nil {
		conn.Close()
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	o.Logger.Warn("a NATS client can't see whether the server syncs to disk before it acknowledges; "+
		"set sync_interval: always, or rely on replicas that don't lose power together",
		"server", version, "replicas", o.Replicas)
	if o.Replicas < 3 {
		o.Logger.Warn("fewer than 3 replicas: the loss of one server can lose what was accepted", "replicas", o.Replicas)
	}
	return conn, nil
}

// connection holds the options of every connection. Nothing is buffered
// while the server is away: a publish fails at once, and is not sent later
// behind its caller's back.
func connection(o Options) []nats.Option {
	return []nats.Option{
		nats.Name(o.Name), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectBufSize(-1), nats.PingInterval(10 * time.Second), nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Logger.Warn("connection to NATS lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Logger.Info("connection to NATS restored") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			o.Logger.Warn("NATS connection", "error", err)
		}),
	}
}

// checkVersion refuses servers older than 2.12.12, and 2.14 before 2.14.3:
// they lack fixes of published advisories.
func checkVersion(version string) error {
	v, err := parseVersion(version)
	if err != nil {
		return err
	}
	if less(v, [3]int{2, 12, 12}) || !less(v, [3]int{2, 14, 0}) && less(v, [3]int{2, 14, 3}) {
		return fmt.Errorf("server %s lacks security fixes: use 2.12.12 or later, or 2.14.3 or later", version)
	}
	return nil
}

func parseVersion(version string) (v [3]int, err error) {
	core, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return v, fmt.Errorf("server version %q is not understood", version)
	}
	for i, p := range parts {
		if v[i], err = strconv.Atoi(p); err != nil {
			return v, fmt.Errorf("server version %q is not understood", version)
		}
	}
	return v, nil
}

func less(a, b [3]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
