package console

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/firebreak-io/firebreak/internal/kube"
)

// visit is one request of somebody.
type visit struct {
	console *Console
	w       http.ResponseWriter
	r       *http.Request
	user    kube.User
	// key is the session's; empty for a token that a proxy sent.
	key     string
	session session
	sight   *sight
	// lockedBy is the run that locks them out, once that was looked up.
	lockedBy *string
	// seen is how far the streams were when it came: what it shows is not older.
	seen position
}

func (c *Console) visit(w http.ResponseWriter, r *http.Request) *visit {
	return &visit{console: c, w: w, r: r, seen: c.hub.newest()}
}

// open serves what is seen without signing in.
func (c *Console) open(next func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := c.visit(w, r)
		c.fail(v, next(v))
	}
}

// signed serves those who have signed in, by a session or by a token that a
// proxy in front sends.
func (c *Console) signed(next func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := c.visit(w, r)
		err := v.identify(r.Context())
		switch {
		case errors.Is(err, kube.ErrUnauthenticated) && r.Method == http.MethodGet && r.Header.Get("Authorization") == "":
			to := Root + "login"
			if r.URL.Path != Root {
				to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		case errors.Is(err, kube.ErrUnauthenticated):
			err = Problem{http.StatusUnauthorized, "You are not signed in, or not any more. Sign in, and say it again."}
		case err == nil:
			err = next(v)
		}
		c.fail(v, err)
	}
}

// identify finds out who it is. [kube.ErrUnauthenticated] says nobody.
func (v *visit) identify(ctx context.Context) error {
	token, proxied := strings.CutPrefix(v.r.Header.Get("Authorization"), "Bearer ")
	if !proxied {
		held, err := v.r.Cookie(sessionCookie)
		if err != nil {
			return kube.ErrUnauthenticated
		}
		v.session, err = v.console.sessions.find(ctx, held.Value)
		if errors.Is(err, errNoSession) {
			return kube.ErrUnauthenticated
		}
		if err != nil {
			return err
		}
		v.key, token = held.Value, v.session.Token
	}
	user, err := v.console.people.who(ctx, token)
	if err != nil {
		return err
	}
	v.user = user
	v.sight = &sight{rights: v.console.rights, user: user, memo: map[string]bool{}}
	return nil
}

// needs is a [Problem] unless the person may see it in all namespaces or in
// each of those.
func (v *visit) needs(verb, resource string, namespaces ...string) error {
	ok, err := v.sight.in(v.r.Context(), verb, resource, namespaces)
	if err != nil || ok {
		return err
	}
	text := line(v.user.Name, maxName) + " may not " + verb + " " + resource + "." + Group
	if len(namespaces) == 1 && namespaces[0] != "" {
		text += " in namespace " + line(namespaces[0], 63)
	}
	return Problem{http.StatusForbidden, text + ", says the cluster."}
}

// locked is the run that locks the person out; empty is none. Where that can't be
// read nothing is said: the desk has the last word, and asks again.
func (v *visit) locked() string {
	if v.lockedBy == nil {
		run := ""
		if v.user.Name != "" {
			var err error
			if run, err = v.console.House.LockedOut(v.r.Context(), v.user); err != nil {
				v.console.Logger.WarnContext(v.r.Context(), "the page does not say who is locked out", "user", v.user.Name, "error", err)
			}
		}
		v.lockedBy = &run
	}
	return *v.lockedBy
}

// mayDecide says whether the person may decide something, as far as the page knows:
// who is locked out may nothing.
func (v *visit) mayDecide(verb, resource string) (bool, error) {
	if v.locked() != "" {
		return false, nil
	}
	return v.sight.may(v.r.Context(), verb, resource, "")
}

// page is what every template gets.
type page struct {
	Title   string
	Cluster string
	Version string
	// Here is which part of the page it is, for the navigation.
	Here string
	User string
	// Proxied says that a proxy signs people in, so that nobody can sign out here.
	Proxied bool
	// Form is what each form sends back.
	Form string
	// Locked is the run that locks the person out.
	Locked idView
	// Live is what the page is about, as live answers are asked for: an id, or
	// "all"; empty is nothing that changes.
	Live string
	// Seen is from where on live answers go on.
	Seen string
	Page any
}

// show answers a page.
func (v *visit) show(status int, name string, p page) error {
	p.Form, p.Seen, p.Cluster, p.Version = v.formToken(), v.seen.String(), line(v.console.Cluster, maxName), line(v.console.Version, 40)
	p.User, p.Proxied = line(v.user.Name, maxName), v.user.Name != "" && v.key == ""
	if run := v.locked(); run != "" {
		p.Locked = idView{line(run, 64), short(run)}
	}
	var out bytes.Buffer
	if err := v.console.pages.write(&out, name, p); err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(out.Bytes()) // the client is gone; there is nobody to tell
	return nil
}

// problem answers a refusal.
func (v *visit) problem(p Problem) {
	err := v.show(p.Status, "problem", page{Title: http.StatusText(p.Status), Page: struct {
		Status int
		Text   string
		Back   string
	}{p.Status, line(p.Text, maxLine), v.back()}})
	if err != nil {
		v.console.Logger.ErrorContext(v.r.Context(), "answer page", "path", v.r.URL.Path, "error", err)
		http.Error(v.w, p.Text, p.Status)
	}
}

// back is the page that a refused form stood on.
func (v *visit) back() string {
	if v.r.Method != http.MethodPost {
		return ""
	}
	from, err := url.Parse(v.r.Referer())
	if err != nil || from.Host != v.r.Host {
		return ""
	}
	return local(from.RequestURI())
}

// go303 has the browser load another page of ours.
func (v *visit) go303(to string) error {
	http.Redirect(v.w, v.r, local(to), http.StatusSeeOther) //nolint:gosec // local leaves a path of the page alone
	return nil
}

// local is a path of the page, whatever somebody put into a link.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, Root) || strings.ContainsAny(to, "\\\r\n") {
		return Root
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery, Fragment: u.Fragment}).String()
}
