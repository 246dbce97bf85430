package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// Runs lists all runs there are, in the order of their last moves; see
// [Client.SomeRuns].
func (c *Client) Runs(ctx context.Context) ([]event.Run, error) {
	return c.SomeRuns(ctx, respond.Query{}, 0)
}

// SomeRuns lists the runs that a query asks for, page by page, in the order of
// their last moves; of more than most (0 is all) the newest. Those that ended a
// while ago come [respond.InShort].
func (c *Client) SomeRuns(ctx context.Context, q respond.Query, most int) ([]event.Run, error) {
	var runs []event.Run
	for after := ""; ; {
		page, next, err := c.pageOfRuns(ctx, q, after)
		if err != nil {
			return nil, err
		}
		runs = respond.Newest(append(runs, page...))
		if most > 0 && len(runs) > most {
			runs = runs[len(runs)-most:]
		}
		if next == "" || next == after {
			return runs, nil
		}
		after = next
	}
}

func (c *Client) pageOfRuns(ctx context.Context, q respond.Query, after string) (runs []event.Run, next string, err error) {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Add(name, value)
		}
	}
	set("after", after)
	set("playbook", q.Playbook)
	set("namespace", q.Namespace)
	set("prefix", q.Prefix)
	if !q.Since.IsZero() {
		set("since", q.Since.UTC().Format(time.RFC3339Nano))
	}
	for _, s := range q.States {
		set("state", string(s))
	}
	path := "/v1/runs?" + v.Encode()
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return nil, "", refused(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&runs); err != nil {
		return nil, "", fmt.Errorf("%s: read answer: %w", path, err)
	}
	return runs, resp.Header.Get(approve.NextHeader), nil
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
	found, err := c.SomeRuns(ctx, respond.Query{Prefix: prefix}, 0)
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
func (c *Client) Archive(ctx context.Context) (parts []respond.ArchivePart, err error) {
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
