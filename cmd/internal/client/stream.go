package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/firebreak-io/firebreak/respond/approve"
)

// Span is a range of the stream of events: from a sequence, or from a time on,
// to a time or so many frames. The times are those at which events were stored,
// and the zero values leave it open.
type Span struct {
	From         uint64
	Since, Until time.Time
	Limit        uint64
	// To, if not 0, is the last sequence.
	To uint64
}

func (s Span) query() string {
	q := url.Values{}
	if s.From > 0 {
		q.Set("from", strconv.FormatUint(s.From, 10))
	} else if !s.Since.IsZero() {
		q.Set("since", s.Since.UTC().Format(time.RFC3339Nano))
	}
	if !s.Until.IsZero() {
		q.Set("until", s.Until.UTC().Format(time.RFC3339Nano))
	}
	if s.Limit > 0 {
		q.Set("limit", strconv.FormatUint(s.Limit, 10))
	}
	return q.Encode()
}

// errCut is that an answer is not whole, errEnough that no more is wanted.
var (
	errCut    = errors.New("the answer broke off")
	errEnough = errors.New("enough")
)

// maxTries is how often a page is asked for that breaks off.
const maxTries = 5

// Events gives the frames of a range in order; last is the newest sequence that
// there is. A page that breaks off is asked for again from there on.
func (c *Client) Events(ctx context.Context, s Span, yield func(f approve.Frame, last uint64) error) error {
	for tries := 0; ; {
		var stopped error
		before := s
		page, err := c.page(ctx, s, func(f approve.Frame, last uint64) error {
			if s.To > 0 && f.Sequence > s.To {
				stopped = errEnough
				return stopped
			}
			s.From = f.Sequence + 1
			if s.Limit > 0 {
				s.Limit--
			}
			stopped = yield(f, last)
			return stopped
		})
		switch {
		case errors.Is(stopped, errEnough):
			return nil
		case stopped != nil:
			return stopped
		case errors.Is(err, errCut) && tries < maxTries && ctx.Err() == nil:
			if tries++; s != before {
				tries = 0
			}
		case err != nil:
			return err
		case page.Next == 0 || before.Limit > 0 && s.Limit == 0:
			return nil
		default:
			s.From, tries = page.Next, 0
		}
		if before.Limit > 0 && s.Limit == 0 {
			return nil
		}
	}
}

// maxLine bounds one frame: an event of a MiB, or half of one of many.
const maxLine = 8 << 20

// page reads one answer.
func (c *Client) page(ctx context.Context, s Span, yield func(f approve.Frame, last uint64) error) (approve.Page, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/events?"+s.query(), nil)
	if err != nil {
		return approve.Page{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return approve.Page{}, refused(resp)
	}
	lines := bufio.NewScanner(io.LimitReader(resp.Body, maxAnswer))
	lines.Buffer(nil, maxLine)
	last := uint64(0)
	for lines.Scan() {
		var line struct {
			approve.Frame
			approve.Page
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return approve.Page{}, fmt.Errorf("read events: %w: %w", errCut, err)
		}
		if line.End {
			return line.Page, nil
		}
		last = max(last, line.Sequence)
		if err := yield(line.Frame, last); err != nil {
			return approve.Page{}, err
		}
	}
	if err := lines.Err(); err != nil {
		return approve.Page{}, fmt.Errorf("read events: %w: %w", errCut, err)
	}
	return approve.Page{}, fmt.Errorf("read events: %w", errCut)
}

// Finding gives a finding by its id, and how often it came.
func (c *Client) Finding(ctx context.Context, id string) (f approve.Found, err error) {
	return f, c.call(ctx, http.MethodGet, "/v1/findings/"+url.PathEscape(id), nil, &f)
}

// Silences lists the silences that hold.
func (c *Client) Silences(ctx context.Context) (s approve.Silences, err error) {
	return s, c.call(ctx, http.MethodGet, "/v1/silences", nil, &s)
}

// Silence makes a silence.
func (c *Client) Silence(ctx context.Context, s approve.Silencing) (made approve.Silenced, err error) {
	return made, c.call(ctx, http.MethodPost, "/v1/silences", s, &made)
}

// EndSilence ends one.
func (c *Client) EndSilence(ctx context.Context, id, reason string) (ended approve.Silenced, err error) {
	return ended, c.call(ctx, http.MethodPost, "/v1/silences/"+url.PathEscape(id)+"/end", approve.Say{Reason: reason}, &ended)
}
