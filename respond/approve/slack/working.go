package slack

import (
	"context"
	"errors"
	"slices"
	"time"

	slackapi "github.com/slack-go/slack"
)

// probeEvery is how often Slack is asked whether it knows us, where there is
// nothing to write.
const probeEvery = 5 * time.Minute

// revoked are the errors of Slack that waiting does not mend; see
// https://docs.slack.dev/reference/methods/chat.postMessage#errors.
var revoked = []string{
	"token_revoked", "token_expired", "invalid_auth", "account_inactive", "not_authed", "missing_scope", "no_permission", "org_login_required",
	"team_access_not_granted", "ekm_access_denied", "not_in_channel", "channel_not_found", "is_archived",
}

// Revoked says of an error that only people can mend it: the token was taken
// back, or the app was taken out of the channel.
func Revoked(err error) bool {
	var answer slackapi.SlackErrorResponse
	return errors.As(err, &answer) && slices.Contains(revoked, answer.Err)
}

// found notes whether Slack can be used.
func (b *Board) found(ctx context.Context, err error) {
	if err == nil {
		b.failing.Store(nil)
	} else {
		b.failing.Store(&err)
	}
	if b.working != nil {
		b.working(ctx, err)
	}
}

// probe asks Slack now and then whether it knows us, until ctx ends: a token that
// was taken back is to be said before there is something to tell.
func (b *Board) probe(ctx context.Context) error {
	for {
		limited, cancel := context.WithTimeout(ctx, b.client.limit)
		_, err := b.client.api.AuthTestContext(limited)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			err = fail("auth.test", err)
			b.logger.WarnContext(ctx, "Slack does not answer as it should", "error", err)
		}
		// What is well here may fail elsewhere: only the writer says so.
		if err != nil || b.failing.Load() == nil {
			b.found(ctx, err)
		}
		if err := pause(ctx, probeEvery); err != nil {
			return err
		}
	}
}
