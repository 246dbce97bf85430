package console

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
)

// sessionAge is how long a session lasts, whatever is done with it.
const sessionAge = 8 * time.Hour

// sessionCookie holds a session's key. Its prefix has browsers refuse it from
// other hosts, paths and without TLS (loopback apart).
const sessionCookie = "__Host-firebreak-session"

// errNoSession says that there is no session of that key, or not any more.
var errNoSession = errors.New("no such session")

// session is who signed in: the token is asked about again and again, so that
// it ends when the cluster does not believe it any more.
type session struct {
	Token string    `json:"token"`
	Began time.Time `json:"began"`
	Ends  time.Time `json:"ends"`
}

// store is where sessions are kept: [*bus.KV].
type store interface {
	Get(ctx context.Context, key string) ([]byte, uint64, error)
	Put(ctx context.Context, key string, value []byte) (uint64, error)
}

// sessions are kept sealed, each with a key that only its browser has: neither
// who reads the store nor who reads the memory of a stopped process learns a
// token. All responders know all sessions. It may be used concurrently.
type sessions struct {
	store store
	now   func() time.Time
}

// begin makes a session of a token, and gives its key.
func (s *sessions) begin(ctx context.Context, token string) (key string, err error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	key = base64.RawURLEncoding.EncodeToString(secret)
	name, seal, err := opener(key)
	if err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	now := s.now()
	text, err := json.Marshal(session{Token: token, Began: now, Ends: now.Add(sessionAge)})
	if err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	nonce := make([]byte, seal.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	sealed := seal.Seal(nonce, nonce, text, []byte(name))
	if _, err := s.store.Put(ctx, name, sealed); err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	return key, nil
}

// find is the session of a key, or [errNoSession].
func (s *sessions) find(ctx context.Context, key string) (session, error) {
	name, seal, err := opener(key)
	if err != nil {
		return session{}, errNoSession
	}
	sealed, _, err := s.store.Get(ctx, name)
	if errors.Is(err, bus.ErrNotFound) || err == nil && len(sealed) == 0 {
		return session{}, errNoSession
	}
	if err != nil {
		return session{}, fmt.Errorf("find session: %w", err)
	}
	n := seal.NonceSize()
	if len(sealed) < n {
		return session{}, errNoSession
	}
	text, err := seal.Open(nil, sealed[:n], sealed[n:], []byte(name))
	if err != nil {
		return session{}, errNoSession
	}
	var found session
	if err := json.Unmarshal(text, &found); err != nil || !s.now().Before(found.Ends) {
		return session{}, errNoSession
	}
	return found, nil
}

// end lets a session be no more, everywhere and at once.
func (s *sessions) end(ctx context.Context, key string) error {
	name, _, err := opener(key)
	if err != nil {
		return nil // there is none
	}
	if _, err := s.store.Put(ctx, name, nil); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// opener derives from a session's key under which name it is kept, and what
// seals it.
func opener(key string) (name string, seal cipher.AEAD, err error) {
	secret, err := base64.RawURLEncoding.Strict().DecodeString(key)
	if err != nil || len(secret) != 32 {
		return "", nil, errNoSession
	}
	sum := sha256.Sum256(append([]byte("firebreak session name "), secret...))
	derived, err := hkdf.Key(sha256.New, secret, nil, "firebreak session seal", 32)
	if err != nil {
		return "", nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return "", nil, err
	}
	seal, err = cipher.NewGCM(block)
	return hex.EncodeToString(sum[:]), seal, err
}

// cookie is one that scripts can't read and other sites can't have sent.
func cookie(name, value string, age time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(age.Seconds())}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}
