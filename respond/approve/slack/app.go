package slack

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/firebreak-io/firebreak/respond/approve"
)

// Options of [New].
type Options struct {
	Config Config
	// Dir is where the paths of the config begin.
	Dir string
	// Desk takes what people say. Its Authority decides on people who have a user
	// in the cluster; nil without a cluster.
	Desk approve.Desk
	HTTP *http.Client
	// Dial connects Socket Mode, as HTTP does its own; nil is for tests alone.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Working is told whether Slack can be used, whenever that is found out: nil
	// when it can; an error of which [Revoked] is true is mended by people alone.
	Working func(ctx context.Context, err error)
	Logger  *slog.Logger
	// Now is the clock; nil is time.Now in UTC.
	Now func() time.Time
}

// App is Firebreak in Slack. Its [Board] belongs into the active responder,
// its ways in ([App.Handler], [App.Listen]) into every one.
type App struct {
	config Config
	board  *Board
	clerk  *Clerk
	client *Client
	view   view
	secret string
	socket bool
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	seen   seen
	logger *slog.Logger
	now    func() time.Time
}

// New reads the tokens and puts an app together. It reaches nothing.
func New(o Options) (*App, error) {
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	read := func(name string, zero bool, get func(string) (string, error)) (string, error) {
		if zero {
			return "", nil
		}
		text, err := get(o.Dir)
		if err != nil {
			return "", fmt.Errorf("slack %s: %w", name, err)
		}
		return text, nil
	}
	c := o.Config
	token, err := read("token", false, c.Token.Read)
	if err != nil {
		return nil, err
	}
	appToken, err := read("app_token", c.AppToken.IsZero(), c.AppToken.Read)
	if err != nil {
		return nil, err
	}
	secret, err := read("signing_secret", c.SigningSecret.IsZero(), c.SigningSecret.Read)
	if err != nil {
		return nil, err
	}
	seal, err := NewSealer(token)
	if err != nil {
		return nil, err
	}
	look := face{Sealer: seal, console: c.Console, highest: c.Highest}
	client := NewClient(token, appToken, c.API, o.HTTP)
	desk := o.Desk
	desk.Authority = rights{cluster: o.Desk.Authority, list: c.Rights}
	desk.Now = o.Now
	a := &App{
		config: c, client: client, secret: secret, socket: appToken != "", dial: o.Dial, seen: seen{kv: desk.Bus.Chat(), now: o.Now}, logger: o.Logger, now: o.Now,
		board: &Board{
			config: c, face: look, client: client, records: streams{desk}, entries: entries{desk.Bus.Chat()}, queue: newQueue(),
			pace: map[string]*rate.Limiter{}, unheard: map[string]unheard{}, now: o.Now, logger: o.Logger, working: o.Working, every: writeEvery, first: firstPause,
		},
		clerk: &Clerk{desk: desk, face: look, people: newPeople(c, client, o.Now), client: client, logger: o.Logger, now: o.Now, within: takeWithin},
	}
	a.view = view{desk: desk, face: look}
	return a, nil
}

// Board keeps the messages.
func (a *App) Board() *Board { return a.board }
