package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// Clerk takes clicks. Each is answered to the person alone, with the reason
// where it does not count. It may be used concurrently.
type Clerk struct {
	desk   approve.Desk
	face   face
	people *people
	client *Client
	logger *slog.Logger
	now    func() time.Time
	within time.Duration // takeWithin
}

// takeWithin bounds how long a click may take until it is stored: Slack waits
// three seconds for the answer.
const takeWithin = 2500 * time.Millisecond

// Take does what a click asks for. When it returns nil the click is stored, or
// was refused and the person will be told why; an error says that it has to be
// clicked again. The way back, which can take longer, is left to the function
// that it gives, which is nil when there is nothing to say.
func (k *Clerk) Take(ctx context.Context, c Click) (answer func(context.Context), err error) {
	ctx, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	text, later, err := k.take(ctx, c)
	var refused approve.Problem
	switch {
	case errors.As(err, &refused):
		k.logger.WarnContext(ctx, "click refused", "account", c.Account.String(), "reason", refused.Text)
		return k.saying(c, "This does not count: "+refused.Text), nil
	case err != nil:
		return k.saying(c, "This could not be taken, please click again."), fmt.Errorf("take click of %s: %w", c.Account, err)
	case later != nil:
		return func(ctx context.Context) { k.whisper(ctx, c, later(ctx)) }, nil
	case text == "":
		return nil, nil
	}
	return k.saying(c, text), nil
}

// take authenticates, and hands on.
func (k *Clerk) take(ctx context.Context, c Click) (text string, later func(context.Context) string, err error) {
	no := func(err error) error { return approve.Problem{Status: 403, Text: err.Error()} }
	order, err := k.face.Open(c.Value)
	if err != nil {
		return "", nil, no(err)
	}
	who, err := k.people.person(ctx, c.Account)
	if err != nil {
		return "", nil, no(err)
	}
	if order.Why && !c.Form {
		return "", nil, k.client.Open(ctx, c.Trigger, form(c, "Firebreak records why, and who said so."))
	}
	reason := c.Reason
	switch order.Deed {
	case DeedLink:
		return "", nil, nil
	case DeedApprove, DeedShorter, DeedDeny, DeedBreak:
		return k.vote(ctx, c, order, who)
	case DeedRestore, DeedDelete:
		end := event.AtEndRestore
		if order.Deed == DeedDelete {
			end = event.AtEndDelete
		}
		return k.say(ctx, who, order.On, approve.Undo, approve.Say{AtEnd: end, Reason: reason, From: c.Account.String()}, "It is being undone.")
	case DeedExtend:
		// Counted from the click, so that it is the same however often it comes.
		until := c.Time.Add(order.For)
		return k.say(ctx, who, order.On, approve.Extend, approve.Say{Until: until, From: c.Account.String()}, "It lasts until "+clock(until)+".")
	case DeedKeep:
		return k.say(ctx, who, order.On, approve.Keep, approve.Say{From: c.Account.String()}, "It lasts until somebody undoes it.")
	case DeedTrue, DeedFalse:
		right := order.Deed == DeedTrue
		_, err := k.desk.Judge(ctx, who, order.On, approve.Verdict{True: &right, Why: reason})
		return "Thank you: it is noted, and the detectors learn it.", nil, err
	case DeedAcknowledge:
		_, err := k.desk.Acknowledge(ctx, who, order.On, reason)
		return "You see to it: nobody else is paged.", nil, err
	case DeedReview:
		_, err := k.desk.CloseReview(ctx, who, order.On, reason)
		return "Thank you: it is reviewed.", nil, err
	case DeedSilence:
		return k.silence(ctx, who, order, reason)
	case DeedPause:
		return "Paused: no new effect begins.", nil, k.desk.Pause(ctx, who, reason)
	case DeedResume:
		return k.resume(ctx, who, order.Digest)
	}
	return "", nil, no(ErrSeal)
}

// vote stores a vote, bound to what was shown. What became of it the run says.
func (k *Clerk) vote(ctx context.Context, c Click, o Order, who kube.User) (string, func(context.Context) string, error) {
	say := approve.Say{Digest: o.Digest, Reason: c.Reason, From: c.Account.String()}
	deed := approve.Approve
	switch o.Deed {
	case DeedShorter:
		say.Hold = o.For
	case DeedDeny:
		deed = approve.Deny
	case DeedBreak:
		deed = approve.BreakGlass
	}
	rec, err := k.desk.Run(ctx, o.On)
	if err != nil {
		return "", nil, err
	}
	if deed != approve.Deny && k.face.barred(rec.Run) {
		return "", nil, approve.Problem{Status: 403, Text: "this can't be approved in a chat: approve it by the command line or on the page"}
	}
	if deed == approve.BreakGlass && rec.Run.State == event.RunExpired {
		_, err := k.desk.Say(ctx, who, o.On, deed, say)
		return "The playbook begins anew, and asks again: break the glass there.", nil, err
	}
	if a := rec.Run.Approval; a != nil && a.ID != o.Approval {
		return "", nil, approve.Problem{Status: 409, Text: "the plan has changed since it was shown"}
	}
	said, err := k.desk.Say(ctx, who, o.On, deed, say)
	if problem := (approve.Problem{}); errors.As(err, &problem) && rec.Run.Approval != nil {
		problem.Text += decided(*rec.Run.Approval)
		return "", nil, problem
	}
	if err != nil {
		return "", nil, err
	}
	return "", func(ctx context.Context) string { return k.outcome(ctx, said, o.Approval) }, nil
}

// decided says who has decided already.
func decided(a event.Approval) string {
	if a.State == event.ApprovalOpen {
		return ""
	}
	var names []string
	for _, v := range a.Votes {
		if v.Refused == "" {
			names = append(names, v.User)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + a.State + ": " + strings.Join(names, ", ") + ")"
}

// outcomeWithin is how long a vote's fate is waited for. It counts all the same.
const outcomeWithin = 15 * time.Second

// outcome waits until the run has taken the vote in, and says what it said.
func (k *Clerk) outcome(ctx context.Context, said approve.Said, approval string) string {
	ctx, cancel := context.WithTimeout(ctx, outcomeWithin)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		rec, err := k.desk.Run(ctx, said.Run)
		if err == nil && rec.Run.Input >= said.Sequence {
			return fate(rec.Run, said.User, approval)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return "Your vote is stored. The responder has not taken it in yet; this message will change when it has."
		case <-timer.C:
		}
	}
}

// fate is what became of somebody's last vote.
func fate(r event.Run, user, approval string) string {
	a := r.Approval
	if a == nil || a.ID != approval {
		return "Your vote is stored, but the plan has changed since it was shown."
	}
	yes := 0
	for _, v := range a.Votes {
		if v.Refused == "" && v.Approve {
			yes++
		}
	}
	for i := len(a.Votes) - 1; i >= 0; i-- {
		v := a.Votes[i]
		switch {
		case v.User != user:
			continue
		case v.Refused != "":
			return "Your vote does not count: " + v.Refused
		case !v.Approve:
			return "You denied it: nothing is done."
		case a.State == event.ApprovalOpen:
			return fmt.Sprintf("You approved it: %d of %d.", yes, a.Need)
		}
		return "You approved it, and it goes ahead."
	}
	return "Your vote is stored."
}

// say says something to a run that needs no waiting for.
func (k *Clerk) say(ctx context.Context, who kube.User, run, deed string, what approve.Say, done string) (string, func(context.Context) string, error) {
	_, err := k.desk.Say(ctx, who, run, deed, what)
	return done, nil, err
}

// silence silences what an incident is about: its detectors, on its object.
func (k *Clerk) silence(ctx context.Context, who kube.User, o Order, reason string) (string, func(context.Context) string, error) {
	in, err := k.desk.Incident(ctx, o.On)
	if err != nil {
		return "", nil, err
	}
	until := k.now().Add(o.For)
	_, err = k.desk.Silence(ctx, who, approve.Silencing{When: silenced(in), Why: reason, Until: until})
	return "Silenced until " + clock(until) + ": what these detectors find there disturbs nobody.", nil, err
}

// silenced is the condition of a silence for what an incident is about. Names
// are quoted: they are data.
func silenced(in event.Incident) string {
	names := make([]string, len(in.Rules))
	for i, r := range in.Rules {
		names[i] = strconv.Quote(r)
	}
	s := in.Subject
	return fmt.Sprintf("(rule + model) in [%s] and subject.resource == %s and subject.namespace == %s and subject.name == %s",
		strings.Join(names, ", "), strconv.Quote(s.Resource), strconv.Quote(s.Namespace), strconv.Quote(s.Name))
}

// resume says that it may go on. A button names the pause that it was shown for:
// one of before does not end another one.
func (k *Clerk) resume(ctx context.Context, who kube.User, pause string) (string, func(context.Context) string, error) {
	s, err := k.desk.Status(ctx)
	if err != nil {
		return "", nil, err
	}
	if pause != "" && pause != pauseName(s) {
		return "", nil, approve.Problem{Status: 409, Text: "that pause is over, or another one began since it was shown"}
	}
	if err := k.desk.Resume(ctx, who); err != nil {
		return "", nil, err
	}
	s, err = k.desk.Status(ctx)
	if err != nil || !s.Paused {
		return "Resumed.", nil, err
	}
	return fmt.Sprintf("You said that it may go on: %d of %d.", len(s.Release), s.Need), nil, nil
}

// saying answers with a text.
func (k *Clerk) saying(c Click, text string) func(context.Context) {
	return func(ctx context.Context) { k.whisper(ctx, c, text) }
}

// whisper tells a person something that nobody else sees. That it could not be
// told changes nothing of what was done.
func (k *Clerk) whisper(ctx context.Context, c Click, text string) {
	if err := k.client.Whisper(ctx, c.Channel, c.User, Text(text, 1000)); err != nil && ctx.Err() == nil {
		k.logger.WarnContext(ctx, "tell somebody in Slack", "account", c.Account.String(), "error", err)
	}
}

// home is the view of the app's own tab.
func homeView(blocks []slackapi.Block) slackapi.HomeTabViewRequest {
	return slackapi.HomeTabViewRequest{Type: slackapi.VTHomeTab, Blocks: slackapi.Blocks{BlockSet: blocks}}
}
