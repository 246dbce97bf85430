package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Options say where the streams are and how much they keep.
type Options struct {
	// Dir holds the data of the embedded server. It is made if need be, and
	// locked: two processes never open one directory.
	Dir string
	// URL selects an external server (nats://… or tls://…, several with
	// commas) instead of the embedded one; Dir is not used then.
	URL string
	// Credentials is a NATS credentials file; CA, Cert and Key are PEM files.
	// All are optional and for an external server only.
	Credentials   string
	CA, Cert, Key string
	// Replicas of each stream; 0 is 1 embedded and 3 external.
	Replicas int
	// MaxEventBytes and EventAge bound the EVENTS stream: the oldest go
	// first. 0 is 4 GiB and 8 days.
	MaxEventBytes int64
	EventAge      time.Duration
	// Patient makes Open, and what [Bus.Begin] begins, wait for a server that gives no
	// answer.
	Patient bool
	// Name is what the server's monitoring calls this client.
	Name string
	// Logger is told what the server and the connection do; nil is silent.
	Logger *slog.Logger
}

const (
	defaultEventBytes = 4 << 30
	defaultEventAge   = 8 * 24 * time.Hour
)

func (o Options) withDefaults() (Options, error) {
	if o.URL == "" && o.Dir == "" {
		return o, errors.New("neither a data directory nor a NATS URL is given")
	}
	if (o.Cert == "") != (o.Key == "") {
		return o, errors.New("a NATS client certificate needs both certificate and key")
	}
	if o.Replicas == 0 {
		o.Replicas = 1
		if o.URL != "" {
			o.Replicas = 3
		}
	}
	if o.URL == "" && o.Replicas != 1 {
		return o, fmt.Errorf("%d replicas: the embedded server has one", o.Replicas)
	}
	if o.MaxEventBytes == 0 {
		o.MaxEventBytes = defaultEventBytes
	}
	if o.EventAge == 0 {
		o.EventAge = defaultEventAge
	}
	if o.MaxEventBytes < 0 || o.EventAge < 0 {
		return o, errors.New("the bounds of the EVENTS stream are negative")
	}
	if o.Name == "" {
		o.Name = "firebreak"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}
