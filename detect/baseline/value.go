package baseline

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Key names an entity or a peer group: a hash of its values, so that its size
// does not depend on what somebody wrote.
type Key [16]byte

// MarshalText writes the key in hexadecimal.
func (k Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(text []byte) error {
	data, err := hex.DecodeString(string(text))
	if err == nil && len(data) != len(k) {
		err = errors.New("its length is another")
	}
	if err != nil {
		return fmt.Errorf("read key of an entity: %w", err)
	}
	copy(k[:], data)
	return nil
}

// Value is one of a category. Its hash can't be worked backwards: nobody writes
// something that counts as another's usual.
type Value struct {
	Hash uint64
	// Text is for people, cut short.
	Text string
}

// ValueOf is the value that texts are together. An empty one counts and is not shown.
func ValueOf(texts ...string) Value {
	h := sha256.New()
	var n [8]byte
	shown := make([]string, 0, len(texts))
	for _, t := range texts {
		if t != "" {
			shown = append(shown, t)
		}
		binary.LittleEndian.PutUint64(n[:], uint64(len(t)))
		h.Write(n[:])
		h.Write([]byte(t))
	}
	var sum [sha256.Size]byte
	return Value{max(1, binary.LittleEndian.Uint64(h.Sum(sum[:0])[:8])), cut(strings.Join(shown, " "), maxText)}
}

// cut shortens a text to about so many bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
