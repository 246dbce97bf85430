package approve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/incident"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// Authority says what somebody may do: the verb on the resource NAME of the
// group [Group] in a namespace. [*kube.Client] is one, by SubjectAccessReview.
type Authority interface {
	Allowed(ctx context.Context, user kube.User, verb, group, resource, name, namespace string) (bool, string, error)
}

// Desk takes what people say, whichever way it reaches Firebreak: each word is
// authorised, then looked at for sense, then stored. Whoever calls it has
// authenticated the person. What is refused comes back as a [Problem]; any
// other error means that nothing is known to be stored, and that it can be said
// again. It may be used concurrently.
type Desk struct {
	Authority Authority
	Bus       *bus.Bus
	Log       *runlog.Log
	Incidents *incident.List
	Control   *respond.Control
	Logger    *slog.Logger
	// Now is the clock; nil is time.Now in UTC.
	Now func() time.Time
}

// Problem is a refusal: its text is for the person who asked, Status the code
// of HTTP for it.
type Problem struct {
	Status int
	Text   string
}

// Error is the text.
func (p Problem) Error() string { return p.Text }

type problem = Problem

func (d Desk) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now().UTC()
}

// May is a [Problem] of status 403 unless the person may. Whatever is not only to
// look takes that no run locks them out; see [Desk.barred].
func (d Desk) May(ctx context.Context, user kube.User, verb, resource, name, namespace string) error {
	if err := d.barred(ctx, user, verb, resource, name, namespace); err != nil {
		return err
	}
	return d.granted(ctx, user, verb, resource, name, namespace)
}

// granted is a [Problem] of status 403 unless the cluster says that the person may.
func (d Desk) granted(ctx context.Context, user kube.User, verb, resource, name, namespace string) error {
	ok, reason, err := d.Authority.Allowed(ctx, user, verb, Group, resource, name, namespace)
	if err != nil {
		return err
	}
	if !ok {
		what := verb + " " + resource + "." + Group
		if name != "" {
			what += " " + name
		}
		if namespace != "" {
			what += " in namespace " + namespace
		}
		text := user.Name + " may not " + what
		if reason != "" {
			text += ": " + reason
		}
		return Problem{http.StatusForbidden, text}
	}
	return nil
}

// The deeds that can be said to a run.
const (
	Approve = "approve"
	Deny    = "deny"
	Undo    = "undo"
	Extend  = "extend"
	Keep    = "keep"
	// BreakGlass approves in an emergency; see [Desk.Say].
	BreakGlass = "break-glass"
)

// Say stores what somebody says to a run: approve or deny its open approval,
// undo, extend or keep what it holds. It needs the right to approve or to undo
// its playbook in the namespace of its target. To break the glass is a right of
// its own: one yes in place of those that it takes, whoever says it and however
// late, with a reason, and to be reviewed by somebody else. Where nobody approved
// in time the playbook begins anew, and what comes back names that run: it asks
// again, for the plan as it is now. Whether a vote counts the run
// says, once its record's input is at or past the sequence that comes back.
func (d Desk) Say(ctx context.Context, user kube.User, run, deed string, body Say) (Said, error) {
	return d.say(ctx, user, run, deed, body, d.May)
}

// Could says whether the word would count as the record stands, and stores nothing:
// nil, or the [Problem] with which it would be refused. It is for who is about to say
// it, so that they hear it before they read a plan; that somebody who is locked out
// asked is on record like any attempt.
func (d Desk) Could(ctx context.Context, user kube.User, run, deed string, body Say) error {
	rec, in, err := d.heard(ctx, user, run, deed, body, d.May)
	if err != nil || in.Vote == nil || rec.State == event.RunExpired && deed == BreakGlass {
		return err
	}
	if why := respond.Uncounted(rec, *in.Vote, in.Time); why != "" {
		return Problem{http.StatusForbidden, "your vote does not count: " + why}
	}
	return nil
}

// may is how somebody is asked whether they may.
type may func(ctx context.Context, user kube.User, verb, resource, name, namespace string) error

func (d Desk) say(ctx context.Context, user kube.User, run, deed string, body Say, may may) (Said, error) {
	rec, in, err := d.heard(ctx, user, run, deed, body, may)
	if err != nil {
		return Said{}, err
	}
	if deed == BreakGlass {
		return d.breakGlass(ctx, rec, in)
	}
	return d.store(ctx, in)
}

// heard is what somebody says to a run as it is stored, and the run, when they may
// say it and it makes sense.
func (d Desk) heard(ctx context.Context, user kube.User, run, deed string, body Say, may may) (event.Run, event.Input, error) {
	refused := func(err error) (event.Run, event.Input, error) { return event.Run{}, event.Input{}, err }
	if err := short("the reason", body.Reason); err != nil {
		return refused(err)
	}
	in, verb, err := d.input(user, run, deed, body)
	if err != nil {
		return refused(err)
	}
	rec, err := d.Run(ctx, run)
	if err != nil {
		return refused(err)
	}
	if err := may(ctx, user, verb, "playbooks", rec.Run.Playbook, rec.Run.Target.Space()); err != nil {
		return refused(err)
	}
	if about(rec.Run, user) {
		return refused(Problem{http.StatusForbidden, "the run is about " + user.Name + ", who can't decide on it: somebody else has to"})
	}
	if deed == BreakGlass && strings.TrimSpace(in.Reason) == "" {
		return refused(Problem{http.StatusBadRequest, "who breaks the glass has to say why"})
	}
	if deed != BreakGlass || rec.Run.State != event.RunExpired {
		err = d.sensible(rec.Run, in)
	}
	return rec.Run, in, err
}

// input is what is stored of a deed, and the verb that it takes.
func (d Desk) input(user kube.User, run, deed string, body Say) (in event.Input, verb string, err error) {
	in = event.Input{Run: run, ID: rand.Text(), User: user.Name, Reason: body.Reason, Time: d.now()}
	verb = "undo"
	switch deed {
	case Approve, Deny:
		verb, in.Kind = "approve", event.InputVote
		in.Vote = &event.Vote{
			User: user.Name, Groups: user.Groups, Approve: deed == Approve, Hold: body.Hold, From: body.From,
			Digest: body.Digest, Reason: body.Reason, Time: in.Time,
		}
	case BreakGlass:
		verb, in.Kind = "break-glass", event.InputVote
		in.Vote = &event.Vote{
			User: user.Name, Groups: user.Groups, Approve: true, BreakGlass: true, Hold: body.Hold, From: body.From,
			Digest: body.Digest, Reason: body.Reason, Time: in.Time,
		}
	case Undo:
		in.Kind, in.AtEnd, in.Over = event.InputUndo, body.AtEnd, body.Over
	case Keep:
		in.Kind = event.InputKeep
	case Extend:
		in.Kind, in.Until = event.InputExtend, body.Until
	default:
		return in, "", Problem{http.StatusNotFound, "approve, deny, break-glass, undo, extend and keep are what can be said to a run"}
	}
	return in, verb, nil
}

// about says whether a run denies something to this very person: whoever holds a
// stolen credential must not lift with it what was set against it. A finding that
// only names somebody is another matter: they may undo what came of it, and not
// approve it.
func about(run event.Run, user kube.User) bool {
	refs := []event.Ref{run.Target}
	for _, s := range run.Steps {
		if s.Plan == nil {
			continue
		}
		refs = append(refs, s.Plan.Target)
		if slices.ContainsFunc(s.Plan.Denies, func(i event.Identity) bool { return i.Is(user.Name, user.Groups, user.Extra) }) {
			return true
		}
	}
	return slices.ContainsFunc(refs, func(r event.Ref) bool {
		switch {
		case r.Group != "":
			return false
		case r.Resource == event.ResourceUsers:
			return r.Name == user.Name
		case r.Resource == event.ResourceGroups:
			return slices.Contains(user.Groups, r.Name)
		case r.Resource == "serviceaccounts":
			return user.Name == "system:serviceaccount:"+r.Namespace+":"+r.Name
		}
		return false
	})
}

// Run reads a run's newest record, of an old one from the archive; a [Problem] of status 404 says that there is
// no such run.
func (d Desk) Run(ctx context.Context, run string) (runlog.Record, error) {
	missing := Problem{http.StatusNotFound, "there is no such run"}
	if !id.MatchString(run) {
		return runlog.Record{}, missing
	}
	rec, err := d.Log.Find(ctx, run)
	if errors.Is(err, bus.ErrNotFound) {
		err = missing
	}
	return rec, err
}

// sensible refuses at once what the run could only ignore.
func (d Desk) sensible(run event.Run, in event.Input) error {
	switch {
	case run.State.Terminal():
		return Problem{http.StatusConflict, fmt.Sprintf("the run is over: %s", run.State)}
	case in.Kind == event.InputVote && (run.Approval == nil || run.Approval.State != event.ApprovalOpen):
		return Problem{http.StatusConflict, "the run waits for no approval"}
	case in.Kind == event.InputVote && in.Vote.Digest != run.Approval.Digest:
		return Problem{http.StatusConflict, "the plan has changed since it was shown"}
	case in.Kind == event.InputVote && run.Approval.NoChat && in.Vote.Approve && in.Vote.From != "":
		return Problem{http.StatusForbidden, "this can't be approved in a chat: approve it by the command line or on the page"}
	case in.Kind == event.InputVote && run.Approval.Explain && strings.TrimSpace(in.Vote.Reason) == "":
		return Problem{http.StatusBadRequest, "the playbook wants a reason"}
	case in.Kind == event.InputVote && in.Vote.Hold < 0:
		return Problem{http.StatusBadRequest, "hold is not negative"}
	case in.Kind == event.InputUndo && in.AtEnd != "" && in.AtEnd != event.AtEndRestore && in.AtEnd != event.AtEndDelete:
		return Problem{http.StatusBadRequest, "at_end is restore or delete"}
	case in.Kind == event.InputExtend && (!in.Until.After(d.now()) || in.Until.After(d.now().Add(maxExtension))):
		return Problem{http.StatusBadRequest, fmt.Sprintf("until is within the next %s", maxExtension)}
	}
	return nil
}

// store puts an input where its run reads it.
func (d Desk) store(ctx context.Context, in event.Input) (Said, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return Said{}, fmt.Errorf("store input: %w", err)
	}
	seq, err := d.Bus.Publish(ctx, bus.SubjectInput(in.Run), data)
	if err != nil {
		return Said{}, fmt.Errorf("store input: %w", err)
	}
	d.Logger.InfoContext(ctx, "input", "run", in.Run, "kind", in.Kind, "user", in.User)
	return Said{Run: in.Run, Sequence: seq, User: in.User}, nil
}

// short refuses what is over the bound of what people write.
func short(what, text string) error {
	if len(text) > maxReason {
		return Problem{http.StatusBadRequest, fmt.Sprintf("%s is over %d bytes", what, maxReason)}
	}
	return nil
}
