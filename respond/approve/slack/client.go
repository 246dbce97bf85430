package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	slackapi "github.com/slack-go/slack"
)

// Client speaks to Slack's web API: one call after the other for each kind of
// call is the caller's matter. It may be used concurrently.
type Client struct {
	api   *slackapi.Client
	limit time.Duration
}

// metadata is what a message of ours carries, so that it can be found again.
const metadata = "firebreak_incident"

// NewClient makes a client. The HTTP client is the process' own; url is empty
// for Slack itself.
func NewClient(token, appToken, url string, http *http.Client) *Client {
	options := []slackapi.Option{slackapi.OptionHTTPClient(http), slackapi.OptionAppLevelToken(appToken)}
	if url != "" {
		options = append(options, slackapi.OptionAPIURL(url))
	}
	return &Client{api: slackapi.New(token, options...), limit: 10 * time.Second}
}

// Busy is Slack's wish to be left alone for a time.
type Busy struct{ After time.Duration }

// Error says for how long.
func (b Busy) Error() string { return fmt.Sprintf("Slack asks to wait %s", b.After) }

// fail names a call that failed. The token is never in the error.
func fail(what string, err error) error {
	if err == nil {
		return nil
	}
	var limited *slackapi.RateLimitedError
	if errors.As(err, &limited) {
		return fmt.Errorf("%s: %w", what, Busy{limited.RetryAfter})
	}
	return fmt.Errorf("%s: %w", what, err)
}

// content is a message as it is sent: Slack is told to make no links, no names
// and no pictures of it.
func content(m Message) []slackapi.MsgOption {
	return []slackapi.MsgOption{
		slackapi.MsgOptionText(m.Text, false), slackapi.MsgOptionBlocks(m.Blocks...), slackapi.MsgOptionDisableLinkUnfurl(),
		slackapi.MsgOptionDisableMediaUnfurl(), slackapi.MsgOptionDisableMarkdown(), slackapi.MsgOptionLinkNames(false),
	}
}

// Post posts a message, into a thread if one is named, and gives its timestamp,
// by which it can be changed. key, if it is not empty, lets [Client.Find] find
// it.
//
// A loud one in a thread shows in the channel, too.
func (c *Client) Post(ctx context.Context, channel, thread, key string, m Message) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	options := content(m)
	if thread != "" {
		options = append(options, slackapi.MsgOptionTS(thread))
		if m.Loud {
			options = append(options, slackapi.MsgOptionBroadcast())
		}
	}
	if key != "" {
		options = append(options, slackapi.MsgOptionMetadata(slackapi.SlackMetadata{EventType: metadata, EventPayload: map[string]any{"key": key}}))
	}
	_, ts, err := c.api.PostMessageContext(ctx, channel, options...)
	return ts, fail("post message to "+channel, err)
}

// Update changes a message.
func (c *Client) Update(ctx context.Context, channel, ts string, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	_, _, _, err := c.api.UpdateMessageContext(ctx, channel, ts, content(m)...)
	return fail("change message in "+channel, err)
}

// findMost bounds how many messages are looked through.
const findMost = 200

// Find looks for the message of a key that was posted since a time, and gives
// its timestamp, or "".
func (c *Client) Find(ctx context.Context, channel, key string, since time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	history, err := c.api.GetConversationHistoryContext(ctx, &slackapi.GetConversationHistoryParameters{
		ChannelID: channel, Oldest: fmt.Sprintf("%d.000000", since.Unix()), Limit: findMost, IncludeAllMetadata: true,
	})
	if err != nil {
		return "", fail("look through "+channel, err)
	}
	for _, m := range history.Messages {
		if m.Metadata.EventType == metadata && m.Metadata.EventPayload["key"] == key {
			return m.Timestamp, nil
		}
	}
	return "", nil
}

// Whisper tells one person something in a channel; without a channel, in their
// conversation with the app.
func (c *Client) Whisper(ctx context.Context, channel, user, text string) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	m := Message{Text: text, Blocks: section(text)}
	if channel == "" {
		_, _, err := c.api.PostMessageContext(ctx, user, content(m)...)
		return fail("tell "+user, err)
	}
	_, err := c.api.PostEphemeralContext(ctx, channel, user, content(m)...)
	return fail("tell "+user+" in "+channel, err)
}

// Open opens a form.
func (c *Client) Open(ctx context.Context, trigger string, view slackapi.ModalViewRequest) error {
	_, err := c.api.OpenViewContext(ctx, trigger, view)
	return fail("open form", err)
}

// Home shows somebody the app's own tab.
func (c *Client) Home(ctx context.Context, user string, blocks []slackapi.Block) error {
	_, err := c.api.PublishViewContext(ctx, slackapi.PublishViewContextRequest{UserID: user, View: homeView(blocks)})
	return fail("show home of "+user, err)
}

// Profile is an error unless Slack says that the account is a full member's of
// its team: no guest, no bot, nobody from another workspace, and not deleted.
func (c *Client) Profile(ctx context.Context, a Account) error {
	u, err := c.api.GetUserInfoContext(ctx, a.User)
	switch {
	case err != nil:
		return fail("users.info", err)
	case u.ID != a.User || u.TeamID != a.Team && (a.Enterprise == "" || u.Enterprise.EnterpriseID != a.Enterprise):
		return errors.New("Slack knows it as somebody else's")
	case u.Deleted, u.IsBot, u.IsAppUser, u.IsRestricted, u.IsUltraRestricted, u.IsStranger, u.IsWorkflowBot, u.IsConnectorBot, u.IsInvitedUser:
		return errors.New("only full members of the workspace can decide")
	}
	return nil
}
