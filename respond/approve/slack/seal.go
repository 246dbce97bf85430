package slack

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Deed is what a button stands for.
type Deed string

// The deeds.
const (
	DeedApprove Deed = "approve"
	// DeedShorter approves for a shorter time than the playbook's.
	DeedShorter Deed = "shorter"
	DeedDeny    Deed = "deny"
	DeedRestore Deed = "restore" // undo: give the target back what it had
	DeedDelete  Deed = "delete"  // undo: delete the target
	DeedExtend  Deed = "extend"
	DeedKeep    Deed = "keep"
	DeedTrue    Deed = "true"
	DeedFalse   Deed = "false"
	DeedSilence Deed = "silence"
	DeedPause   Deed = "pause"
	DeedResume  Deed = "resume"
	// DeedBreak breaks the glass, DeedReview closes the review of that.
	DeedBreak  Deed = "break-glass"
	DeedReview Deed = "review"
	// DeedAcknowledge says that somebody sees to an incident.
	DeedAcknowledge Deed = "acknowledge"
	// DeedLink only leads to the page.
	DeedLink Deed = "link"
)

// Order is what a button carries: what is to be done to which run or incident,
// and for a vote to exactly which plan.
type Order struct {
	Deed Deed
	// On is the id of the run, or of the incident; empty for pause and resume.
	On string
	// Approval and Digest are of the question that was shown; of a resume Digest
	// names the pause.
	Approval, Digest string
	// For is the time of an extension, or of a hold.
	For time.Duration
	// Why says that a reason has to be given.
	Why bool
}

// ErrSeal says that a button's value was not made by this Firebreak, or was
// changed.
var ErrSeal = errors.New("this button was not made by this Firebreak")

// sealVersion begins each value; another one is of another Firebreak.
const sealVersion = "v1"

// Sealer seals what buttons carry by HMAC-SHA-256 (RFC 2104): Slack's own
// signature says that Slack sent a click, the seal that the button is ours. It
// may be used concurrently.
type Sealer struct{ key []byte }

// NewSealer derives the key from the app's token (HKDF, RFC 5869), so that all
// replicas have the same, and buttons of before a change of the token are void.
func NewSealer(token string) (Sealer, error) {
	key, err := hkdf.Key(sha256.New, []byte(token), nil, "firebreak.io slack buttons", sha256.Size)
	if err != nil {
		return Sealer{}, fmt.Errorf("derive key of buttons: %w", err)
	}
	return Sealer{key: key}, nil
}

// Seal gives the value of a button, at most 300 bytes.
func (s Sealer) Seal(o Order) string {
	why := "0"
	if o.Why {
		why = "1"
	}
	body := strings.Join([]string{sealVersion, string(o.Deed), o.On, o.Approval, o.Digest, strconv.FormatInt(int64(o.For/time.Second), 10), why}, ".")
	return body + "." + s.mac(body)
}

// Open reads a value that Seal gave, or says [ErrSeal].
func (s Sealer) Open(value string) (Order, error) {
	at := strings.LastIndexByte(value, '.')
	if at < 0 || len(value) > 512 || !hmac.Equal([]byte(value[at+1:]), []byte(s.mac(value[:at]))) {
		return Order{}, ErrSeal
	}
	parts := strings.Split(value[:at], ".")
	if len(parts) != 7 || parts[0] != sealVersion {
		return Order{}, ErrSeal
	}
	seconds, err := strconv.ParseInt(parts[5], 10, 32)
	if err != nil {
		return Order{}, ErrSeal
	}
	return Order{
		Deed: Deed(parts[1]), On: parts[2], Approval: parts[3], Digest: parts[4], For: time.Duration(seconds) * time.Second, Why: parts[6] == "1",
	}, nil
}

func (s Sealer) mac(body string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
