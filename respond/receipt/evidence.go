package receipt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	hashes "hash"
	"io"
	"strconv"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Evidence is an object that a step kept of its target, as the record
// names it.
type Evidence struct {
	Step   string `json:"step"`
	Object string `json:"object"`
	Where  string `json:"where"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"bytes"`
}

// maxKept bounds the objects of one step.
const maxKept = 64

// keptBy are the objects that the steps of a run kept, by their receipts.
func keptBy(run event.Run) (list []Evidence) {
	for _, s := range run.Steps {
		if s.Receipt == nil {
			continue
		}
		for n := 1; n <= maxKept; n++ {
			prefix := ""
			if n > 1 {
				prefix = strconv.Itoa(n) + "."
			}
			out := s.Receipt.Output
			size, err := strconv.ParseInt(out[prefix+"bytes"], 10, 64)
			if out[prefix+"object"] == "" || len(out[prefix+"sha256"]) != 2*sha256.Size || err != nil || size < 0 {
				break
			}
			list = append(list, Evidence{s.Name, out[prefix+"object"], out[prefix+"where"], out[prefix+"sha256"], size})
		}
	}
	return list
}

// CheckEvidence holds what was kept against the record that names it: read
// writes an object to w. What is not as it was kept is [ErrDisproved]; what can't
// be read is another error.
func CheckEvidence(ctx context.Context, p Proof, read func(ctx context.Context, e Evidence, w io.Writer) error) error {
	for _, e := range p.Evidence {
		h := &counted{hash: sha256.New(), most: e.Size}
		if err := read(ctx, e, h); err != nil && !h.over() {
			return fmt.Errorf("read what step %s kept, %s: %w", e.Step, e.Object, err)
		}
		if got := hex.EncodeToString(h.hash.Sum(nil)); h.over() || h.size != e.Size || got != e.SHA256 {
			return fmt.Errorf("%w: what step %s kept, %s, is not as it was kept: %d bytes with SHA-256 %s, of which the record has %d with %s",
				ErrDisproved, e.Step, e.Object, h.size, got, e.Size, e.SHA256)
		}
	}
	return nil
}

// counted hashes what is written to it, and takes little more than it should get.
type counted struct {
	hash       hashes.Hash
	size, most int64
}

func (c *counted) over() bool { return c.size > c.most }

// Write takes more bytes.
func (c *counted) Write(p []byte) (int, error) {
	if c.size += int64(len(p)); c.over() {
		return 0, fmt.Errorf("it is over %d bytes", c.most)
	}
	return c.hash.Write(p)
}
