package credential

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// MinSecret is the fewest bytes of a token or secret path.
const MinSecret = 16

// maxSecrets is how many a file may hold.
const maxSecrets = 1000

const hashPrefix = "sha256:"

// Hash is the SHA-256 of a secret.
type Hash [sha256.Size]byte

// New makes a token of 32 random bytes. It can stand in a header and in a
// path.
func New() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return "fb_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// HashOf is what is kept of a token.
func HashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// String is the form that stands in a file of hashes.
func (h Hash) String() string { return hashPrefix + hex.EncodeToString(h[:]) }

// parse reads a file of secrets or their hashes, one a line. Where plain
// secrets are not allowed, one is an error, which does not repeat it.
func parse(text string, plain bool) ([]Hash, error) {
	var list []Hash
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		h, err := parseLine(line, plain)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if list = append(list, h); len(list) > maxSecrets {
			return nil, fmt.Errorf("more than %d secrets", maxSecrets)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("holds no secret")
	}
	return list, nil
}

func parseLine(line string, plain bool) (h Hash, err error) {
	if digits, ok := strings.CutPrefix(line, hashPrefix); ok {
		if len(digits) != hex.EncodedLen(len(h)) {
			return h, fmt.Errorf("want %s and %d hexadecimal digits", hashPrefix, hex.EncodedLen(len(h)))
		}
		if _, err := hex.Decode(h[:], []byte(digits)); err != nil {
			return h, fmt.Errorf("want %s and %d hexadecimal digits", hashPrefix, hex.EncodedLen(len(h)))
		}
		return h, nil
	}
	if !plain {
		return h, fmt.Errorf("want %sHEX, as `firebreak token` prints it", hashPrefix)
	}
	if len(line) < MinSecret || strings.ContainsFunc(line, unfit) {
		return h, fmt.Errorf("want one word of at least %d bytes without / ? #%s", MinSecret, " %")
	}
	return HashOf(line), nil
}

// unfit is what could not stand in a header and a path as it is.
func unfit(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/?#%", r) }

// find compares with every secret, in a time that does not depend on what is
// right.
func find(list []Hash, shown string) (h Hash, ok bool) {
	h = HashOf(shown)
	found := 0
	for i := range list {
		found |= subtle.ConstantTimeCompare(list[i][:], h[:])
	}
	return h, found == 1 && len(shown) >= MinSecret
}
