package ingest

import (
	"bytes"
	"regexp"
)

// privateKey takes the lines of a private key out of a stream of log lines: a
// program that prints a PEM file writes each of its lines as a message of its
// own, and none but the first says what it is.
//
// The zero value stands in no key. What it remembers is one number, so it is
// kept with the position of a file. Where it was lost (a shipper's next body,
// a standard input) a line that is a whole line of PEM by its look is still
// taken out; what stays then is the last line of a key, which is shorter.
type privateKey struct {
	// left is how many lines may still be the key's; 0 is no key.
	left int
}

const (
	// maxKeyLines is more than those of RSA with 16,384 bits. What is no line
	// of a key costs as much as keyCost of them: logs may come between.
	maxKeyLines = 256
	keyCost     = 8
)

var (
	keyBegin = []byte("-----BEGIN ")
	keyEnd   = []byte("-----END ")
	keyWhat  = []byte("PRIVATE KEY")
	keyDash  = []byte("-----")
	// keyPiece is a piece of a key behind the prefix of a logger.
	keyPiece = regexp.MustCompile(`(?:^|\s)[A-Za-z0-9+/_-]{16,}={0,2}(?:\s|$)`)
)

// cut gives the next line without what of it is a private key. The first line
// is left to [redactText], which sees it for itself.
func (k *privateKey) cut(text []byte) []byte {
	if k.left == 0 {
		if isKeyLine(text) {
			return []byte(Redacted)
		}
		at := bytes.LastIndex(text, keyBegin)
		if at >= 0 && bytes.Contains(text[at:], keyWhat) && !bytes.Contains(text[at:], keyEnd) {
			k.left = maxKeyLines
		}
		return text
	}
	if at := bytes.Index(text, keyEnd); at >= 0 {
		k.left = 0
		_, after, _ := bytes.Cut(text[at+len(keyEnd):], keyDash)
		return append([]byte(Redacted), after...)
	}
	short := bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(short, []byte("Proc-Type:")), bytes.HasPrefix(short, []byte("DEK-Info:")), isBase64(short):
		k.left--
		return []byte(Redacted)
	case keyPiece.Match(text):
		k.left--
		return keyPiece.ReplaceAll(text, []byte(" "+Redacted+" "))
	}
	k.left = max(0, k.left-keyCost)
	return text
}

// isKeyLine says whether a line has the width of one of PEM (64, or 70 of
// OpenSSH) and its letters, which a hash in hex has not.
func isKeyLine(text []byte) bool {
	if n := len(text); n < 64 || n > 72 {
		return false
	}
	short := bytes.TrimSpace(text)
	if len(short) != 64 && len(short) != 70 || !isBase64(short) {
		return false
	}
	var upper, lower, digit bool
	for _, c := range short {
		upper = upper || c >= 'A' && c <= 'Z'
		lower = lower || c >= 'g' && c <= 'z'
		digit = digit || c >= '0' && c <= '9'
	}
	return upper && lower && digit
}

func isBase64(text []byte) bool {
	for _, c := range text {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' && c != '=' {
			return false
		}
	}
	return true
}
