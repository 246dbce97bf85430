package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"
)

// Click is one thing that somebody did in Slack, whichever way it came. Nothing
// of it is believed but the account, and that only because Slack signed it or
// said it over a connection of ours.
type Click struct {
	Account
	// ID names it: the same however often it is delivered.
	ID string
	// Value is the button's; of a form the one that was put into it.
	Value string
	// Reason is what was written in a form; Form says that it was one.
	Reason string
	Form   bool
	// Channel is where it was clicked, and where it is answered. Trigger lets a
	// form be opened, for three seconds.
	Channel, Trigger string
	// Time is when it was clicked, by Slack's clock: the same however often it
	// is delivered.
	Time time.Time
}

// maxPayload bounds an interaction, in bytes.
const maxPayload = 64 << 10

// Ids of the form that asks for a reason.
const (
	formReason = "firebreak_reason"
	fieldWhy   = "why"
)

// parseClick reads the payload of an interaction. ok is false for one that asks
// for nothing, as a form that was closed.
func parseClick(payload []byte, now time.Time) (c Click, ok bool, err error) {
	if len(payload) > maxPayload {
		return c, false, fmt.Errorf("an interaction is over %d bytes", maxPayload)
	}
	var in slackapi.InteractionCallback
	if err := json.Unmarshal(payload, &in); err != nil {
		return c, false, fmt.Errorf("read interaction: %w", err)
	}
	c = Click{
		Account: Account{Team: in.User.TeamID, Enterprise: in.Enterprise.ID, User: in.User.ID},
		Channel: in.Channel.ID, Trigger: in.TriggerID, Time: now,
	}
	if c.Team == "" {
		c.Team = in.Team.ID
	}
	if c.User == "" || c.Team == "" {
		return c, false, errors.New("an interaction names nobody")
	}
	switch in.Type {
	case slackapi.InteractionTypeBlockActions:
		if len(in.ActionCallback.BlockActions) != 1 || in.ActionCallback.BlockActions[0] == nil {
			return c, false, errors.New("an interaction has not one action")
		}
		one := in.ActionCallback.BlockActions[0]
		if c.Time, err = stamp(one.ActionTs); err != nil {
			return c, false, err
		}
		c.Value, c.ID = one.Value, in.TriggerID+" "+one.ActionTs
		return c, true, nil
	case slackapi.InteractionTypeViewSubmission:
		if in.View.CallbackID != formReason || in.View.State == nil {
			return c, false, errors.New("a form that is not ours")
		}
		c.Form, c.Reason = true, in.View.State.Values[fieldWhy][fieldWhy].Value
		c.ID = "form " + in.View.ID + " " + in.TriggerID + " " + c.Reason
		c.Value, c.Channel, _ = strings.Cut(in.View.PrivateMetadata, "|")
		return c, true, nil
	}
	return c, false, nil
}

// stamp reads a time as Slack writes it: seconds, a dot and a fraction.
func stamp(ts string) (time.Time, error) {
	seconds, _, _ := strings.Cut(ts, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return time.Time{}, errors.New("an interaction has no time")
	}
	return time.Unix(n, 0).UTC(), nil
}

// form asks for a reason, and carries what it is for.
func form(c Click, what string) slackapi.ModalViewRequest {
	input := slackapi.NewPlainTextInputBlockElement(nil, fieldWhy)
	input.Multiline, input.MaxLength = true, 1000
	return slackapi.ModalViewRequest{
		Type: slackapi.VTModal, CallbackID: formReason, PrivateMetadata: c.Value + "|" + c.Channel,
		Title: plain("Firebreak"), Submit: plain("Send"), Close: plain("Cancel"),
		Blocks: slackapi.Blocks{BlockSet: append(section(what), slackapi.NewInputBlock(fieldWhy, plain("Why?"), nil, input))},
	}
}
