package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	slackapi "github.com/slack-go/slack"
)

// Scopes are the rights of the app's token that Firebreak needs, each with what
// for; the manifest asks for just these.
func Scopes() map[string]string {
	return map[string]string{
		"chat:write":       "to post messages and change them",
		"users:read":       "to see whether who clicks is a full member",
		"channels:history": "to find a message again whose answer was lost",
		"channels:read":    "to see whether it is in the channel",
		"commands":         "for /firebreak",
	}
}

// Found is one thing that was looked at.
type Found struct {
	// What was looked at, and what Problem it has; none is empty.
	What, Problem string
	// Advice says how to mend it.
	Advice string
}

// Check looks at everything that has to be right for Slack to work, and writes
// nothing: the tokens and their scopes, the channels, Socket Mode and the people.
// An error says that the config can't be used at all.
func Check(ctx context.Context, c Config, dir string, client *http.Client) ([]Found, error) {
	token, err := c.Token.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("slack token: %w", err)
	}
	var appToken string
	if !c.AppToken.IsZero() {
		if appToken, err = c.AppToken.Read(dir); err != nil {
			return nil, fmt.Errorf("slack app_token: %w", err)
		}
	}
	k := &checker{config: c, client: NewClient(token, appToken, c.API, client)}
	if scopes, ok := k.token(ctx); ok {
		k.rights(scopes)
		k.channels(ctx)
		k.people(ctx)
	}
	k.socket(ctx, appToken)
	return k.found, nil
}

// checker gathers what it finds.
type checker struct {
	config Config
	client *Client
	found  []Found
}

func (k *checker) note(what string, err error, advice string) {
	f := Found{What: what}
	if err != nil {
		f.Problem, f.Advice = err.Error(), advice
	}
	k.found = append(k.found, f)
}

// token gives the scopes, which Slack says with each answer; see
// https://docs.slack.dev/authentication/installing-with-oauth.
func (k *checker) token(ctx context.Context) (scopes []string, ok bool) {
	who, err := k.client.api.AuthTestContext(ctx)
	if err == nil && !slices.Contains(k.config.Teams, who.TeamID) && !slices.Contains(k.config.Teams, who.EnterpriseID) {
		err = fmt.Errorf("it is of workspace %s, which teams does not name", who.TeamID)
	}
	k.note("the app's token", err, "put the Bot User OAuth Token (xoxb-…) of the installed app into the file, and its workspace into teams")
	if err != nil {
		return nil, false
	}
	for one := range strings.SplitSeq(who.Header.Get("X-OAuth-Scopes"), ",") {
		scopes = append(scopes, strings.TrimSpace(one))
	}
	return scopes, true
}

func (k *checker) rights(scopes []string) {
	var missing []string
	for s, why := range Scopes() {
		if !slices.Contains(scopes, s) {
			missing = append(missing, s+" ("+why+")")
		}
	}
	slices.Sort(missing)
	var err error
	if len(missing) > 0 {
		err = errors.New("missing: " + strings.Join(missing, ", "))
	}
	k.note("its scopes", err, "add them under OAuth & Permissions, and install the app again")
}

func (k *checker) channels(ctx context.Context) {
	list := []string{k.config.Channel}
	for _, r := range k.config.Routes {
		if !slices.Contains(list, r.Channel) {
			list = append(list, r.Channel)
		}
	}
	for _, id := range list {
		info, err := k.client.api.GetConversationInfoContext(ctx, &slackapi.GetConversationInfoInput{ChannelID: id})
		if err == nil && !info.IsMember {
			err = errors.New("the app is not in it")
		}
		k.note("channel "+id, err, "invite the app there: /invite @firebreak")
	}
}

func (k *checker) people(ctx context.Context) {
	for _, p := range k.config.People {
		team, user, _ := strings.Cut(p.Slack, "/")
		err := k.client.Profile(ctx, Account{Team: team, User: user})
		k.note("account "+p.Slack, err, "take the ids from the person's profile (Copy member ID); guests can't decide")
	}
	if len(k.config.People) == 0 {
		k.note("people", errors.New("none: nobody's click counts"), "name those who decide under people")
	}
}

func (k *checker) socket(ctx context.Context, appToken string) {
	if appToken == "" {
		k.note("clicks", nil, "")
		return
	}
	_, _, err := k.client.api.StartSocketModeContext(ctx)
	k.note("Socket Mode", err, "switch Socket Mode on, and put an app-level token (xapp-…) with connections:write into app_token")
}
