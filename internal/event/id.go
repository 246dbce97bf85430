package event

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// HashID makes an id of 32 hexadecimal digits (128 bits of SHA-256) from
// parts. Each part is length-prefixed in the hash, so that no two lists of
// parts share one. Ids are safe in NATS subjects, Kubernetes names and URLs.
func HashID(parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		l := uint64(len(p))
		for i := range n {
			n[i] = byte(l >> (8 * i))
		}
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// FindingID is hash(rule, group key, id of the first contributing event).
func FindingID(rule, group, firstEvent string) string {
	return HashID("finding", rule, group, firstEvent)
}

// RunID is hash(playbook, incident, target UID, generation). A target without
// a UID (replay without a cluster) is named by its reference. The first run of
// an incident's playbook on a target has generation 1; when that is over, a
// later finding can begin the next.
func RunID(playbook, incident string, target Ref, generation int) string {
	uid := target.UID
	if uid == "" {
		uid = target.String()
	}
	if generation <= 1 {
		return HashID("run", playbook, incident, uid)
	}
	return HashID("run", playbook, incident, uid, strconv.Itoa(generation))
}
