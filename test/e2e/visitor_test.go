package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"testing"
)

var formOf = regexp.MustCompile(`name="form" value="([^"]*)"`)

// visitor is somebody at the page without a browser, signed in.
type visitor struct {
	t      *testing.T
	api    string
	client *http.Client
	// form is what the forms of the page send back that was seen last and had any.
	form string
}

// signIn signs in with a token, and gives what is shown at the address asked for.
func (l *loop) signIn(token, at string) (v *visitor, status int, text string) {
	l.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	v = &visitor{t: l.t, api: l.api, client: &http.Client{Jar: loopback{jar}}}
	v.get("/console/login")
	status, text = v.post("/console/login", url.Values{"token": {token}, "next": {at}})
	return v, status, text
}

func (v *visitor) get(path string) (status int, text string) {
	v.t.Helper()
	return v.read(v.client.Get(v.api + path))
}

// post sends a form as the page last seen has it, with these fields.
func (v *visitor) post(path string, fields url.Values) (status int, text string) {
	v.t.Helper()
	if v.form == "" {
		v.t.Fatal("no page with a form was seen")
	}
	fields.Set("form", v.form)
	return v.read(v.client.PostForm(v.api+path, fields))
}

func (v *visitor) read(resp *http.Response, err error) (int, string) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if form := formOf.FindSubmatch(text); form != nil {
		v.form = string(form[1])
	}
	return resp.StatusCode, string(text)
}

// loopback is a jar that takes cookies for secure places to this machine too, as
// browsers do.
type loopback struct{ *cookiejar.Jar }

func (j loopback) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.Jar.SetCookies(secure(u), cookies)
}
func (j loopback) Cookies(u *url.URL) []*http.Cookie { return j.Jar.Cookies(secure(u)) }

func secure(u *url.URL) *url.URL {
	s := *u
	s.Scheme = "https"
	return &s
}
