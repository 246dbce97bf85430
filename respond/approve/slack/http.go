package slack

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	slackapi "github.com/slack-go/slack"
)

// Handler takes what Slack calls: /slack/interactions, /slack/commands and
// /slack/events. A request is answered when it is stored; one that Slack did not
// sign within five minutes is refused with 401, one that came before with 200 and
// without effect. Without a signing secret there is nothing there. What is left
// to say goes on until ctx ends.
func (a *App) Handler(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	if a.secret == "" {
		return mux
	}
	mux.HandleFunc("POST /slack/interactions", a.signed(ctx, a.interaction))
	mux.HandleFunc("POST /slack/commands", a.signed(ctx, a.slash))
	mux.HandleFunc("POST /slack/events", a.signed(ctx, a.event))
	return mux
}

// taken is what a signed request came to: the status, the answer, and what is
// said later.
type taken struct {
	status int
	body   any
	later  func(context.Context)
}

// signed looks at the signature before anything is read.
func (a *App) signed(life context.Context, take func(context.Context, []byte) taken) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
		if err != nil {
			http.Error(w, "the body can't be read", http.StatusBadRequest)
			return
		}
		verifier, err := slackapi.NewSecretsVerifier(r.Header, a.secret)
		if err == nil {
			_, _ = verifier.Write(body) // a hash takes everything
			err = verifier.Ensure()
		}
		if err != nil {
			http.Error(w, "this was not signed by Slack in the last five minutes", http.StatusUnauthorized)
			return
		}
		got := take(r.Context(), body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(got.status)
		if got.body != nil {
			_ = json.NewEncoder(w).Encode(got.body) // the client is gone; there is nobody to tell
		}
		if got.later != nil {
			go got.later(life)
		}
	}
}

func (a *App) interaction(ctx context.Context, body []byte) taken {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return taken{status: http.StatusBadRequest}
	}
	return a.click(ctx, []byte(form.Get("payload")))
}

// click takes an interaction, whichever way it came.
func (a *App) click(ctx context.Context, payload []byte) taken {
	c, ok, err := parseClick(payload, a.now())
	if err != nil {
		a.logger.WarnContext(ctx, "an interaction from Slack can't be read", "error", err)
		return taken{status: http.StatusBadRequest}
	}
	if !ok {
		return taken{status: http.StatusOK}
	}
	name := "click " + c.Account.String() + " " + c.ID + " " + c.Value
	first, err := a.seen.first(ctx, name)
	if err == nil && !first {
		return taken{status: http.StatusOK}
	}
	var later func(context.Context)
	if err == nil {
		if later, err = a.clerk.Take(ctx, c); err == nil {
			return taken{status: http.StatusOK, later: later}
		}
		if err := a.seen.forget(context.WithoutCancel(ctx), name); err != nil {
			a.logger.WarnContext(ctx, "a click that failed can't be taken again for some minutes", "account", c.Account.String(), "error", err)
		}
	}
	a.logger.ErrorContext(ctx, "take a click", "account", c.Account.String(), "error", err)
	if later == nil {
		later = a.clerk.saying(c, "This could not be taken, please click again.")
	}
	return taken{status: http.StatusInternalServerError, later: later}
}

func (a *App) slash(ctx context.Context, body []byte) taken {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return taken{status: http.StatusBadRequest}
	}
	c := Click{
		Account: Account{Team: form.Get("team_id"), Enterprise: form.Get("enterprise_id"), User: form.Get("user_id")},
		Channel: form.Get("channel_id"), Trigger: form.Get("trigger_id"), Time: a.now(),
	}
	return a.slashed(ctx, c, form.Get("text"))
}

// slashed takes a command, whichever way it came, and once: Slack gives each one
// a trigger, and the same one when it delivers it again.
func (a *App) slashed(ctx context.Context, c Click, text string) taken {
	if c.Trigger == "" {
		return taken{status: http.StatusBadRequest}
	}
	switch first, err := a.seen.first(ctx, "command "+c.Account.String()+" "+c.Trigger); {
	case err != nil:
		a.logger.ErrorContext(ctx, "take a command", "error", err)
		return taken{status: http.StatusServiceUnavailable}
	case !first:
		return taken{status: http.StatusOK}
	}
	return taken{status: http.StatusOK, body: a.command(ctx, c, text)}
}

// callback is what of an event is looked at.
type callback struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	Team      string `json:"team_id"`
	Event     struct {
		Type string `json:"type"`
		User string `json:"user"`
		Tab  string `json:"tab"`
	} `json:"event"`
}

func (a *App) event(_ context.Context, body []byte) taken {
	var e callback
	if err := json.Unmarshal(body, &e); err != nil {
		return taken{status: http.StatusBadRequest}
	}
	if e.Type == "url_verification" {
		return taken{status: http.StatusOK, body: map[string]string{"challenge": e.Challenge}}
	}
	return taken{status: http.StatusOK, later: a.opened(e)}
}

// opened shows the app's own tab to who opened it.
func (a *App) opened(e callback) func(context.Context) {
	if e.Event.Type != "app_home_opened" || e.Event.Tab != "home" {
		return nil
	}
	c := Click{Account: Account{Team: e.Team, User: e.Event.User}}
	return func(ctx context.Context) { a.home(ctx, c) }
}
