package slack

import (
	"context"
	"errors"
	"strings"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/respond/approve"
)

// command answers /firebreak: alone it shows how things stand; "pause REASON" and
// "resume" do what they say. The answer is for the person alone.
func (a *App) command(ctx context.Context, c Click, text string) map[string]any {
	ctx, cancel := context.WithTimeout(ctx, a.clerk.within)
	defer cancel()
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	blocks, err := a.commanded(ctx, c, word, strings.TrimSpace(rest))
	var refused approve.Problem
	switch {
	case errors.As(err, &refused):
		blocks = section(Text(refused.Text, 1000))
	case err != nil:
		a.logger.WarnContext(ctx, "answer a command in Slack", "account", c.Account.String(), "error", err)
		blocks = section("This can't be answered now, please try again.")
	}
	return map[string]any{"response_type": "ephemeral", "text": "Firebreak", "blocks": blocks}
}

func (a *App) commanded(ctx context.Context, c Click, word, rest string) ([]slackapi.Block, error) {
	who, err := a.clerk.people.person(ctx, c.Account)
	if err != nil {
		return nil, approve.Problem{Status: 403, Text: err.Error()}
	}
	switch word {
	case "":
		return a.view.overview(ctx, who)
	case "pause":
		return section("Paused: no new effect begins."), a.clerk.desk.Pause(ctx, who, rest)
	case "resume":
		said, _, err := a.clerk.resume(ctx, who, "")
		return section(Text(said, 300)), err
	}
	return section("/firebreak shows how things stand, /firebreak pause REASON lets nothing new begin, /firebreak resume lets it go on."), nil
}

// home shows somebody the app's own tab.
func (a *App) home(ctx context.Context, c Click) {
	who, err := a.clerk.people.person(ctx, c.Account)
	blocks := section("You are not among the people who may see this.")
	if err == nil {
		if blocks, err = a.view.overview(ctx, who); err != nil {
			var refused approve.Problem
			if !errors.As(err, &refused) {
				a.logger.WarnContext(ctx, "show home in Slack", "account", c.Account.String(), "error", err)
				return
			}
			blocks = section(Text(refused.Text, 1000))
		}
	}
	if err := a.client.Home(ctx, c.User, blocks); err != nil {
		a.logger.WarnContext(ctx, "show home in Slack", "account", c.Account.String(), "error", err)
	}
}
