package slack

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack/socketmode"
)

// Listen takes what people do over Socket Mode until ctx ends: Firebreak calls
// Slack, and nothing has to be reachable. Without an app token it only waits.
// What is stored is acknowledged; what is not Slack shows as failed.
func (a *App) Listen(ctx context.Context) error {
	if !a.socket {
		<-ctx.Done()
		return nil
	}
	for wait := time.Second; ; wait = min(2*wait, maxBackoff) {
		began := a.now()
		err := a.connected(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if a.now().Sub(began) > time.Minute {
			wait = time.Second
		}
		a.logger.WarnContext(ctx, "the connection to Slack ended; trying again", "after", wait, "error", err)
		if pause(ctx, wait) != nil {
			return nil
		}
	}
}

// atOnce bounds how many clicks are taken at a time.
const atOnce = 16

// connected is one life of a client, which connects again by itself until it
// meets what waiting does not mend.
func (a *App) connected(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := socketmode.New(a.client.api, socketmode.OptionLog(log.New(io.Discard, "", 0)), socketmode.OptionReadLimit(4*maxPayload), socketmode.OptionDialer(a.dialer()))
	ended := make(chan error, 1)
	go func() { ended <- client.RunContext(ctx) }()
	room := make(chan struct{}, atOnce)
	for {
		select {
		case err := <-ended:
			return err
		case e := <-client.Events:
			if e.Request == nil {
				continue
			}
			room <- struct{}{}
			go func() {
				defer func() { <-room }()
				a.envelope(ctx, client, *e.Request)
			}()
		}
	}
}

// dialer connects to Slack, and nowhere else, whatever address comes back: by TLS,
// with the process' own way out, and without a proxy of the environment. Only an
// API that the config names can be elsewhere.
func (a *App) dialer() *websocket.Dialer {
	var own string
	if u, err := url.Parse(a.config.API); err == nil {
		own = u.Hostname()
	}
	allowed := func(address string) error {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		if own == "" && host != "slack.com" && !strings.HasSuffix(host, ".slack.com") || own != "" && host != own {
			return fmt.Errorf("connect to %s: it is not Slack's", host)
		}
		return nil
	}
	dial := a.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	guarded := func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := allowed(address); err != nil {
			return nil, err
		}
		return dial(ctx, network, address)
	}
	d := &websocket.Dialer{
		NetDialContext: guarded, HandshakeTimeout: connectWithin, WriteBufferSize: 4 << 10, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if own == "" {
		// Slack's own address is wss; one that is not would show what is said.
		d.NetDialContext = func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New("Slack is reached by TLS alone")
		}
		d.NetDialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := guarded(ctx, network, address)
			if err != nil {
				return nil, err
			}
			host, _, _ := net.SplitHostPort(address)
			return handshake(ctx, conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host})
		}
	}
	return d
}

func handshake(ctx context.Context, conn net.Conn, config *tls.Config) (net.Conn, error) {
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return secure, nil
}

// connectWithin bounds how long a connection of Socket Mode takes to come about.
const connectWithin = 10 * time.Second

// envelope takes one, and acknowledges it when it is stored.
func (a *App) envelope(ctx context.Context, client *socketmode.Client, r socketmode.Request) {
	var got taken
	switch r.Type {
	case socketmode.RequestTypeInteractive:
		got = a.click(ctx, r.Payload)
	case socketmode.RequestTypeSlashCommands:
		got = a.slashSaid(ctx, r.Payload)
	case socketmode.RequestTypeEventsAPI:
		got = a.event(ctx, r.Payload)
	default:
		return
	}
	if got.status == http.StatusOK || got.status == http.StatusBadRequest {
		if err := client.AckCtx(ctx, r.EnvelopeID, got.body); err != nil && ctx.Err() == nil {
			a.logger.WarnContext(ctx, "acknowledge to Slack", "error", err)
		}
	}
	if got.later != nil {
		got.later(ctx)
	}
}

func (a *App) slashSaid(ctx context.Context, payload []byte) taken {
	var in struct {
		Team       string `json:"team_id"`
		Enterprise string `json:"enterprise_id"`
		User       string `json:"user_id"`
		Channel    string `json:"channel_id"`
		Trigger    string `json:"trigger_id"`
		Text       string `json:"text"`
	}
	if err := json.Unmarshal(payload, &in); err != nil {
		return taken{status: http.StatusBadRequest}
	}
	c := Click{Account: Account{Team: in.Team, Enterprise: in.Enterprise, User: in.User}, Channel: in.Channel, Trigger: in.Trigger, Time: a.now()}
	return a.slashed(ctx, c, in.Text)
}
