package slack

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"time"

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
	client := socketmode.New(a.client.api, socketmode.OptionLog(log.New(io.Discard, "", 0)), socketmode.OptionReadLimit(4*maxPayload))
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
	return taken{status: http.StatusOK, body: a.command(ctx, c, in.Text)}
}
