package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// Credential is what a client of one source must show: a bearer token, or a
// secret that stands last in the path. It prints as <secret>.
type Credential struct {
	Bearer []byte
	Path   []byte
}

// String hides the credential.
func (c Credential) String() string { return "<secret>" }

// GoString hides the credential.
func (c Credential) GoString() string { return "<secret>" }

// empty says that nobody could ever show it, or that it is too short to be
// one.
func (c Credential) empty() bool { return len(c.Bearer) < minSecret && len(c.Path) < minSecret }

// admits compares in a time that doesn't depend on what is right or how long
// it is.
func (c Credential) admits(r *http.Request, path string) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	bearer := strings.EqualFold(scheme, "Bearer") && same(c.Bearer, strings.TrimSpace(token))
	byPath := same(c.Path, path)
	return bearer || byPath
}

func same(secret []byte, shown string) bool {
	a, b := sha256.Sum256(secret), sha256.Sum256([]byte(shown))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && len(secret) >= minSecret
}
