package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// Runs lists all runs there are, in the order of their last moves; see
// [Client.SomeRuns].
func (c *Client) Runs(ctx context.Context) ([]event.Run, error) {
	return c.SomeRuns(ctx, runlog.Query{}, 0)
}

// SomeRuns lists the runs that a query asks for, page by page, in the order of
// their last moves; of more than most (0 is all) the newest. Those that ended a
// while ago come [runlog.InShort].
func (c *Client) SomeRuns(ctx context.Context, q runlog.Query, most int) ([]event.Run, error) {
	v := url.Values{}
	for name, value := range map[string]string{"playbook": q.Playbook, "namespace": q.Namespace, "prefix": q.Prefix} {
		if value != "" {
			v.Set(name, value)
		}
	}
	for _, s := range q.States {
		v.Add("state", string(s))
	}
	return pages[event.Run](ctx, c, "/v1/runs", v, q.Since, func(runs []event.Run) []event.Run {
		runs = runlog.Newest(runs)
		if most > 0 && len(runs) > most {
			runs = runs[len(runs)-most:]
		}
		return runs
	})
}

// pages reads a list page by page. keep says after each what is kept of all so
// far.
func pages[T any](ctx context.Context, c *Client, path string, v url.Values, since time.Time, keep func([]T) []T) ([]T, error) {
	if !since.IsZero() {
		v.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	var all []T
	for after := ""; ; {
		page, next, err := one[T](ctx, c, path+"?"+v.Encode())
		if err != nil {
			return nil, err
		}
		all = keep(append(all, page...))
		if next == "" || next == after {
			return all, nil
		}
		after = next
		v.Set("after", after)
	}
}

// one reads one page, and where the next begins.
func one[T any](ctx context.Context, c *Client, path string) (list []T, next string, err error) {
	header, err := c.answer(ctx, http.MethodGet, path, nil, &list)
	return list, header.Get(approve.NextHeader), err
}

// Run gives the newest record of one run.
func (c *Client) Run(ctx context.Context, id string) (run event.Run, err error) {
	return run, c.call(ctx, http.MethodGet, "/v1/runs/"+url.PathEscape(id), nil, &run)
}

// History gives all records of one run, oldest first.
func (c *Client) History(ctx context.Context, id string) (runs []event.Run, err error) {
	return runs, c.call(ctx, http.MethodGet, "/v1/runs/"+url.PathEscape(id)+"/history", nil, &runs)
}

// Find gives the run that an id or the beginning of one names.
func (c *Client) Find(ctx context.Context, prefix string) (event.Run, error) {
	if len(prefix) == 32 {
		return c.Run(ctx, prefix)
	}
	if len(prefix) < 4 {
		return event.Run{}, fmt.Errorf("no run begins with %q (give at least four characters)", prefix)
	}
	found, err := c.SomeRuns(ctx, runlog.Query{Prefix: prefix}, 0)
	found = slices.DeleteFunc(found, func(r event.Run) bool { return !strings.HasPrefix(r.ID, prefix) })
	switch {
	case err != nil:
		return event.Run{}, err
	case len(found) == 1 && found[0].Spec == "":
		return c.Run(ctx, found[0].ID) // an old one comes in short
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return event.Run{}, fmt.Errorf("no run begins with %q", prefix)
	}
	return event.Run{}, errors.New("more than one run begins with " + prefix)
}

// Receipt gives the records of a run to the byte.
func (c *Client) Receipt(ctx context.Context, id string) ([]byte, error) {
	path := "/v1/runs/" + url.PathEscape(id) + "/receipt"
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return nil, refused(resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: read answer: %w", path, err)
	}
	return data, nil
}

// Archive lists the parts of the archive of runs, oldest first.
func (c *Client) Archive(ctx context.Context) (parts []runlog.Part, err error) {
	return parts, c.call(ctx, http.MethodGet, "/v1/archive", nil, &parts)
}

// Part writes a part of the archive to w, to the byte.
func (c *Client) Part(ctx context.Context, name string, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/archive/"+url.PathEscape(name), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return refused(resp)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("read archive %s: %w", name, err)
	}
	return nil
}
