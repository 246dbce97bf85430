package slack

import (
	"net/url"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
)

// face is what messages are made with: the seal of their buttons, and how far
// people may go here.
type face struct {
	Sealer
	// console is what the id of an incident is put behind to lead to it on the
	// page, empty without one; highest the highest priority that can be approved here, empty for all.
	console string
	highest event.Severity
}

// barred says that a run's question can't be approved here: who has stolen a
// session of Slack could do so. It can be denied.
func (f face) barred(r event.Run) bool {
	return r.Approval != nil && r.Approval.NoChat || f.highest != "" && respond.Priority(r).Rank() > f.highest.Rank()
}

// leading is a button that leads to an incident on the page, nil without one.
func (f face) leading(incident string) *slackapi.ButtonBlockElement {
	if f.console == "" {
		return nil
	}
	b := button(f.Sealer, "Decide on the page", Order{Deed: DeedLink, On: incident}, slackapi.StylePrimary, "")
	b.URL = f.console + url.PathEscape(incident)
	return b
}
