package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// maxToken bounds a token.
const maxToken = 16 << 10

type loginView struct {
	// Next is where to go then, Wrong what was wrong with the last try.
	Next, Wrong string
}

func (c *Console) loginPage(v *visit) error {
	return v.show(http.StatusOK, "login", page{Title: "Sign in", Page: loginView{Next: local(v.r.URL.Query().Get("next"))}})
}

// login begins a session, if the cluster knows the token. What was wrong with
// one is not told apart.
func (c *Console) login(v *visit) error {
	if !c.logins.allow(v.r) {
		v.w.Header().Set("Retry-After", "10")
		return Problem{http.StatusTooManyRequests, "Too many tries to sign in. Wait a little, and try again."}
	}
	if err := v.form(); err != nil {
		return err
	}
	next, token := local(v.said("next")), strings.TrimSpace(v.said("token"))
	wrong := func(status int, text string) error {
		return v.show(status, "login", page{Title: "Sign in", Page: loginView{Next: next, Wrong: text}})
	}
	if token == "" || len(token) > maxToken || strings.ContainsAny(token, " \r\n\t") {
		return wrong(http.StatusBadRequest, "That is no token: it is one word, as kubectl create token prints it.")
	}
	user, err := c.people.who(v.r.Context(), token)
	if errors.Is(err, kube.ErrUnauthenticated) {
		c.Logger.WarnContext(v.r.Context(), "sign-in refused", "client", v.r.RemoteAddr)
		return wrong(http.StatusUnauthorized, "The cluster does not know this token, or not any more.")
	}
	if err != nil {
		return err
	}
	key, err := c.sessions.begin(v.r.Context(), token)
	if err != nil {
		return err
	}
	c.Logger.InfoContext(v.r.Context(), "signed in", "user", user.Name, "client", v.r.RemoteAddr)
	http.SetCookie(v.w, cookie(sessionCookie, key, sessionAge))
	return v.go303(next)
}

// logout ends the session for good, in all browsers that have it.
func (c *Console) logout(v *visit) error {
	if v.key == "" {
		return Problem{http.StatusConflict, "The proxy in front signs you in: sign out there."}
	}
	if err := c.sessions.end(v.r.Context(), v.key); err != nil {
		return err
	}
	c.hub.forget(v.key)
	c.Logger.InfoContext(v.r.Context(), "signed out", "user", v.user.Name)
	http.SetCookie(v.w, cookie(sessionCookie, "", 0))
	return v.go303(Root + "login")
}

type meView struct {
	Name           string
	Groups         []string
	Proxied        bool
	Began, Ends    stamp
	Rights         []rightView
	NamespacesOnly bool
}

type rightView struct {
	What, Right string
	May         bool
}

// me says who somebody is to the cluster, and what they may everywhere.
func (c *Console) me(v *visit) error {
	out := meView{Name: line(v.user.Name, maxName), Groups: lines(v.user.Groups, maxName, 50), Proxied: v.key == ""}
	if v.key != "" {
		out.Began, out.Ends = at(v.session.Began), at(v.session.Ends)
	}
	for _, one := range []struct{ what, verb, resource string }{
		{"See incidents", "list", "incidents"}, {"See runs", "get", "runs"}, {"See models", "list", "models"},
		{"Approve and deny", "approve", "playbooks"}, {"Undo, extend and keep", "undo", "playbooks"},
		{"Break the glass", "break-glass", "playbooks"}, {"See to incidents", "acknowledge", "incidents"},
		{"See reviews of broken glass", "list", "reviews"}, {"Close reviews", "update", "reviews"},
		{"Say whether an incident is real", "create", "verdicts"}, {"Close incidents", "update", "incidents"},
		{"See whether effects are paused", "get", "pauses"}, {"Pause", "create", "pauses"}, {"Resume", "delete", "pauses"},
	} {
		ok, err := c.rights.may(v.r.Context(), v.user, one.verb, one.resource, "", "")
		if err != nil {
			return err
		}
		out.Rights = append(out.Rights, rightView{What: one.what, Right: one.verb + " " + one.resource + "." + Group, May: ok})
	}
	return v.show(http.StatusOK, "me", page{Title: "Who am I", Here: "me", Page: out})
}
