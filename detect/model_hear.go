package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// hearing is a detector that wants to know what rules found of an event, before
// it is given the event itself.
type hearing interface {
	Hear(e *event.Event, found []event.Finding, m Moment)
}

// heard is the entities on which a rule matched a short time ago, in order of
// when.
type heard struct {
	list []heardOf
}

type heardOf struct {
	entity baseline.Key
	at     time.Time
}

const (
	// hearFor is how long a match counts, hearFrom from which severity on.
	hearFor  = 10 * time.Minute
	hearFrom = event.SeverityMedium
	maxHeard = 1000
)

// Hear takes what rules found of an event: it makes its entity suspect.
func (m *modeller) Hear(e *event.Event, found []event.Finding, now Moment) {
	if !slices.ContainsFunc(found, func(f event.Finding) bool {
		return f.Rule != "" && f.Severity.Rank() >= hearFrom.Rank() && f.Silence == ""
	}) {
		return
	}
	m.trouble = nil
	who := m.who(e)
	if m.trouble != nil {
		return
	}
	m.heard.add(who.Entity, now.Time)
}

func (h *heard) add(k baseline.Key, at time.Time) {
	h.list = slices.DeleteFunc(h.list, func(o heardOf) bool { return o.entity == k || at.Sub(o.at) > 2*hearFor })
	if len(h.list) >= maxHeard {
		h.list = slices.Delete(h.list, 0, 1)
	}
	h.list = append(h.list, heardOf{k, at})
}

// of says whether a rule matched on the entity. An interval ends after it.
func (h *heard) of(k baseline.Key, at time.Time) bool {
	return slices.ContainsFunc(h.list, func(o heardOf) bool {
		d := at.Sub(o.at)
		return o.entity == k && d <= hearFor && d >= -hearFor
	})
}

func (h *heard) save(out *pack.Writer) {
	out.Len(len(h.list))
	for _, o := range h.list {
		out.Fixed(o.entity[:])
		saveTime(out, o.at)
	}
}

func (h *heard) load(in *pack.Reader) {
	for range in.Count(maxHeard) {
		var o heardOf
		copy(o.entity[:], in.Fixed(len(o.entity)))
		o.at = loadTime(in)
		h.list = append(h.list, o)
	}
}

// hashTexts is a hash of texts that can't be worked backwards.
func hashTexts(texts []string) [16]byte {
	h := sha256.New()
	var n [8]byte
	for _, t := range texts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(t)))
		h.Write(n[:])
		h.Write([]byte(t))
	}
	var sum [sha256.Size]byte
	return [16]byte(h.Sum(sum[:0])[:16])
}
