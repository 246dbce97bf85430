package heartbeat

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Agent is how the user agent and the audit id of a beat begin; the mark
// follows. Both are in audit events of all clusters, and some services that
// ship them on change one of them.
const Agent = "firebreak-heartbeat/"

// keySize is how many random bytes the key has.
const keySize = 32

// mark is what a beat carries: when it was sent, and a proof that only who has
// the key can have made it. Nobody can make the mark of a beat to come.
func mark(key []byte, sent time.Time) string {
	ms := strconv.FormatInt(sent.UnixMilli(), 10)
	return ms + "." + hex.EncodeToString(proof(key, ms))
}

func proof(key []byte, ms string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("firebreak heartbeat " + ms))
	return h.Sum(nil)[:16]
}

// sentOf reads the mark out of a text that ends with it.
func sentOf(key []byte, text string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(text, Agent)
	ms, given, both := strings.Cut(rest, ".")
	if !ok || !both || len(key) == 0 || len(ms) > 15 {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	sum, err := hex.DecodeString(given)
	if err != nil || !hmac.Equal(sum, proof(key, ms)) {
		return time.Time{}, false
	}
	return time.UnixMilli(n), true
}

// beat says whether an event is a beat that came back, and when it was sent.
// Only what the API server itself said counts.
func beat(key []byte, e *event.Event) (time.Time, bool) {
	if e.Source != event.SourceAudit || e.Trust != event.TrustAudit {
		return time.Time{}, false
	}
	if sent, ok := sentOf(key, e.Actor.UserAgent); ok {
		return sent, true
	}
	id, _ := e.Fields["audit_id"].(string)
	return sentOf(key, id)
}
