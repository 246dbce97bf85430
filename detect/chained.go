package detect

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/detect/sequence"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// chained is a rule's sequence.
type chained struct {
	by      [][]*conf.Program // of each step
	machine *sequence.Machine
	not     bool
	o       sequence.Options
}

// chainBytes is about what one key of a sequence takes.
const chainBytes = 1 << 10

func (c *compiler) chain(spec *SequenceSpec, l Limits) *chained {
	q := &chained{}
	common := c.values(spec.By)
	for _, st := range spec.Steps {
		if len(st.By) > 0 {
			q.by = append(q.by, c.values(st.By))
		} else {
			q.by = append(q.by, common)
		}
	}
	n := len(spec.Steps)
	q.not = n > 0 && spec.Steps[n-1].Not
	q.o = sequence.Options{Steps: n, Within: spec.Within.Std(), Any: spec.Order == "any", Not: q.not}
	limitChain(&q.o, l)
	var err error
	q.machine, err = sequence.New(q.o)
	if err != nil {
		c.errs = append(c.errs, fmt.Errorf("sequence: %w", err))
	}
	return q
}

func limitChain(o *sequence.Options, l Limits) {
	o.Late, o.MaxKeys = l.Late, l.Groups
	if l.Bytes > 0 {
		o.MaxKeys = min(max(l.Groups, 1), max(l.Bytes/chainBytes, 1))
	}
}

// ofChain adds an event to its group. Steps may have keys of their own, so it
// is once for each different one.
func (s *running) ofChain(steps uint, e *event.Event, at event.Address, m Moment) (f event.Finding, ok bool, err error) {
	data := saveLink(e, at)
	for i, by := range s.chain.by {
		if steps&(1<<i) == 0 {
			continue
		}
		k, err := groupKey(e, by)
		if err != nil {
			return f, false, err
		}
		same := uint(1) << i
		for j := i + 1; j < len(s.chain.by); j++ {
			if steps&(1<<j) == 0 {
				continue
			}
			if other, err := groupKey(e, s.chain.by[j]); err == nil && other == k {
				same |= 1 << j
			}
		}
		steps &^= same
		entry := sequence.Entry{Time: m.Time.UnixNano(), Order: m.Order, Data: data}
		if same = s.requests.of(e, k).again(same, &entry); same == 0 {
			s.again = true
			continue
		}
		found := s.chain.machine.Add(namespaceOf(e.Object.Namespace), k, same, entry)
		if s.watched != nil {
			s.watched.chains, s.watched.whole = append(s.watched.chains, k), found != nil
		}
		if found != nil {
			s.group = k
			return s.completed(k, found, e, at)
		}
	}
	return f, false, nil
}

// completed gives the finding of a sequence, or keeps it until it is due.
func (s *running) completed(k sequence.Key, found []sequence.Entry, e *event.Event, at event.Address) (event.Finding, bool, error) {
	f, err := s.finding(e, at)
	f.Events = nil
	for i, entry := range found {
		l := loadLink(entry.Data)
		if i == 0 {
			f.ID = event.FindingID(s.r.name, hex.EncodeToString(k[:]), l.at.ID)
			f.Time, f.Received = l.time, l.received
		}
		f.Events = append(f.Events, l.at)
		f.Trust = min(f.Trust, l.trust)
	}
	if !s.chain.not {
		return f, true, err
	}
	quiet, failed := s.quiet.key(e, k)
	if failed != nil {
		return f, false, failed
	}
	note, failed := json.Marshal(f)
	if failed != nil {
		return f, false, fmt.Errorf("keep finding: %w", failed)
	}
	s.chain.machine.Hold(namespaceOf(e.Object.Namespace), k, found, append(quiet[:], note...))
	return f, false, err
}

// awaited is a finding of a sequence whose last step did not come.
type awaited struct {
	key     [16]byte
	finding event.Finding
}

func (q *chained) due(now time.Time) []awaited {
	var all []awaited
	for _, h := range q.machine.Due(now) {
		var a awaited
		if len(h.Note) < len(a.key) || json.Unmarshal(h.Note[len(a.key):], &a.finding) != nil {
			continue // it was written by us, so this can't be
		}
		a.key = [16]byte(h.Note[:len(a.key)])
		all = append(all, a)
	}
	return all
}

// link is what is kept of an event of a sequence.
type link struct {
	at             event.Address
	trust          event.Trust
	time, received time.Time
}

func saveLink(e *event.Event, at event.Address) []byte {
	var out pack.Writer
	out.Uint(at.Sequence)
	out.Len(at.Index)
	out.Text(at.ID)
	out.Text(at.From)
	out.Int(int64(e.Trust))
	saveTime(&out, e.Time)
	saveTime(&out, e.Received)
	return out.Data
}

func loadLink(data []byte) link {
	in := pack.NewReader(data)
	return link{
		at:    event.Address{Sequence: in.Uint(), Index: in.Len(event.MaxFrameBytes), ID: in.Text(), From: in.Text()},
		trust: event.Trust(in.Int()), time: loadTime(in), received: loadTime(in),
	}
}

// saveTime writes a time; the zero one is apart, as it has no nanoseconds since
// 1970.
func saveTime(out *pack.Writer, t time.Time) {
	if out.Bool(!t.IsZero()); !t.IsZero() {
		out.Int(t.Unix())
		out.Len(t.Nanosecond())
	}
}

func loadTime(in *pack.Reader) time.Time {
	if !in.Bool() {
		return time.Time{}
	}
	return time.Unix(in.Int(), int64(in.Len(int(time.Second)))).UTC()
}
