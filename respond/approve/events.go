package approve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Frame is a line of what GET /v1/events answers: the events that were stored
// together.
type Frame struct {
	Sequence uint64        `json:"sequence"`
	Stored   time.Time     `json:"stored"`
	Events   []event.Event `json:"events"`
}

// Page is the last line. It is missing where the answer broke off.
type Page struct {
	// Next is where to go on, with from; 0 where there is no more in the range.
	Next uint64 `json:"next"`
	// Last is the newest that there is, to tell how far one is.
	Last uint64 `json:"last"`
	End  bool   `json:"end"`
}

// Bounds of a page: it ends after so many bytes or so long, and goes on in the
// next one.
const (
	maxPage     = 8 << 20
	maxPageTime = 20 * time.Second
)

// span is the range that is asked for.
type span struct {
	from  bus.From
	until time.Time
	limit uint64
}

// events gives a range of the stream of events as lines of JSON: from a sequence
// (from) or a time (since), to a time (until, excluded) or so many frames
// (limit). The times are those at which frames were stored.
func (a *API) events(c call) error {
	if err := a.allowed(c, "list", "events", "", ""); err != nil {
		return err
	}
	s, err := spanOf(c.r)
	if err != nil {
		return err
	}
	state, err := a.Bus.State(c.r.Context(), bus.Events)
	if err != nil {
		return err
	}
	p := &pager{w: c.w, span: s, began: a.now(), now: a.now, page: Page{Last: state.Last, End: true}}
	if state.Messages > 0 && s.from.Sequence <= state.Last {
		for m, err := range a.Bus.Range(c.r.Context(), bus.Events, s.from) {
			if err == nil && p.full(m) {
				break
			}
			if err == nil {
				err = p.frame(m)
			}
			if err != nil {
				return a.broken(c, p, err)
			}
		}
	}
	if err := p.line(p.page); err != nil {
		return a.broken(c, p, err)
	}
	return nil
}

func spanOf(r *http.Request) (s span, err error) {
	q := r.URL.Query()
	number := func(name string) (n uint64) {
		if text := q.Get(name); text != "" && err == nil {
			if n, err = strconv.ParseUint(text, 10, 63); err != nil || n == 0 {
				err = problem{http.StatusBadRequest, name + " is a number from 1 on"}
			}
		}
		return n
	}
	moment := func(name string) (t time.Time) {
		if text := q.Get(name); text != "" && err == nil {
			if t, err = time.Parse(time.RFC3339Nano, text); err != nil {
				err = problem{http.StatusBadRequest, name + " is a time as in 2026-01-31T18:00:00Z"}
			}
		}
		return t
	}
	s.from = bus.From{Sequence: number("from"), Time: moment("since")}
	s.until, s.limit = moment("until"), number("limit")
	return s, err
}

// pager writes one page.
type pager struct {
	span
	w      http.ResponseWriter
	now    func() time.Time
	began  time.Time
	size   int
	frames uint64
	page   Page
}

// full says whether the page ends before a message, and notes where to go on.
func (p *pager) full(m bus.Message) bool {
	if !p.until.IsZero() && !m.Time.Before(p.until) || p.limit > 0 && p.frames >= p.limit {
		return true
	}
	if p.size >= maxPage || p.frames > 0 && p.now().Sub(p.began) > maxPageTime {
		p.page.Next = m.Sequence
		return true
	}
	return false
}

func (p *pager) frame(m bus.Message) error {
	events, err := event.DecodeFrame(m.Data)
	if err != nil {
		// It lies in the dead letters, where the detectors put it.
		events = []event.Event{}
	}
	p.frames++
	return p.line(Frame{Sequence: m.Sequence, Stored: m.Time, Events: events})
}

func (p *pager) line(v any) error {
	if p.size == 0 {
		p.w.Header().Set("Content-Type", "application/x-ndjson")
		p.w.Header().Set("X-Content-Type-Options", "nosniff")
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("answer events: %w", err)
	}
	n, err := p.w.Write(append(data, '\n'))
	p.size += n
	if err != nil {
		return errGone
	}
	return nil
}

// broken ends a page that can't go on. What was begun can't become an error any
// more: without its last line it is not taken for a whole.
func (a *API) broken(c call, p *pager, err error) error {
	if p.size == 0 && !errors.Is(err, errGone) {
		return err
	}
	a.Logger.WarnContext(c.r.Context(), "an answer broke off", "path", c.r.URL.Path, "error", err)
	return nil
}

var errGone = errors.New("the client is gone")

// Found is what GET /v1/findings/{id} answers: a finding, and how often it came.
type Found struct {
	Finding event.Finding `json:"finding"`
	Count   uint64        `json:"count"`
}

func (a *API) finding(c call) error {
	if err := a.allowed(c, "get", "findings", "", ""); err != nil {
		return err
	}
	out, err := a.desk().Finding(c.r.Context(), c.r.PathValue("id"))
	if err != nil {
		return err
	}
	answer(c.w, http.StatusOK, out)
	return nil
}

// Finding reads a finding; a [Problem] of status 404 says that there is none.
func (d Desk) Finding(ctx context.Context, name string) (Found, error) {
	out := Found{Count: 1}
	if !id.MatchString(name) {
		return out, Problem{http.StatusNotFound, "there is no such finding"}
	}
	m, err := d.Bus.Last(ctx, bus.SubjectFinding(name))
	if errors.Is(err, bus.ErrNotFound) {
		return out, Problem{http.StatusNotFound, "there is no such finding"}
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &out.Finding)
	}
	if err != nil {
		return out, fmt.Errorf("read finding %s: %w", name, err)
	}
	if m, err := d.Bus.Last(ctx, bus.SubjectFindingCount(name)); err == nil {
		var n event.FindingCount
		if json.Unmarshal(m.Data, &n) == nil {
			out.Count = n.Count
		}
	}
	return out, nil
}
