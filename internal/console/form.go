package console

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// formCookie holds a secret of the browser that its forms must know: a page
// that another site made can't.
const formCookie = "__Host-firebreak-form"

// formToken is what a form of this person's pages sends back. It makes the
// cookie where there is none.
func (v *visit) formToken() string {
	held, err := v.r.Cookie(formCookie)
	if err != nil || len(held.Value) != base64.RawURLEncoding.EncodedLen(32) {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails
		held = cookie(formCookie, base64.RawURLEncoding.EncodeToString(secret), 30*24*time.Hour)
		http.SetCookie(v.w, held)
		v.r.AddCookie(held)
	}
	return formSeal(held.Value, v.key)
}

// formSeal binds a form to the browser and to the session in it.
func formSeal(secret, key string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "firebreak form %s", key)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// form reads what was sent, if a page of ours in this browser made it.
func (v *visit) form() error {
	_ = http.NewResponseController(v.w).SetReadDeadline(time.Now().Add(bodyTimeout)) // not all writers can
	err := v.r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return Problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("What was sent is over %d bytes.", large.Limit)}
	case err != nil:
		return Problem{http.StatusBadRequest, "What was sent can't be read."}
	}
	held, err := v.r.Cookie(formCookie)
	if err != nil || !hmac.Equal([]byte(v.r.PostForm.Get("form")), []byte(formSeal(held.Value, v.key))) {
		return Problem{http.StatusForbidden, "This form is of another time or place. Load its page again, and send it from there."}
	}
	return nil
}

// spoken takes what a form of this browser says.
func (c *Console) spoken(next func(*visit) error) func(*visit) error {
	return func(v *visit) error {
		if err := v.form(); err != nil {
			return err
		}
		return next(v)
	}
}

// said is a field of the form that was sent.
func (v *visit) said(name string) string { return v.r.PostForm.Get(name) }
