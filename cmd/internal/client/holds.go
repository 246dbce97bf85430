package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// Holds lists the holds that no run is known of, page by page: those of runs whose
// ids begin with a prefix, in a namespace; both empty are all. More than those are
// too many to be known one by one.
func (c *Client) Holds(ctx context.Context, namespace, prefix string) (all respond.Unclaimeds, err error) {
	v := url.Values{}
	for name, value := range map[string]string{"namespace": namespace, "prefix": prefix} {
		if value != "" {
			v.Set(name, value)
		}
	}
	all.Holds = []respond.Unclaimed{}
	for {
		var page []respond.Unclaimed
		header, err := c.answer(ctx, http.MethodGet, "/v1/holds?"+v.Encode(), nil, &page)
		if err != nil {
			return all, err
		}
		all.Holds = append(all.Holds, page...)
		all.More, _ = strconv.Atoi(header.Get(approve.MoreHeader)) // none is said by no header
		next := header.Get(approve.NextHeader)
		if next == "" || next == v.Get("after") {
			return all, nil
		}
		v.Set("after", next)
	}
}

// LostRun is what a run holds that is not known of, by its whole id.
func (c *Client) LostRun(ctx context.Context, run string) (list []respond.Unclaimed, err error) {
	return list, c.call(ctx, http.MethodGet, "/v1/holds/"+url.PathEscape(run), nil, &list)
}

// Free has what the cluster shows of a lost run put back.
func (c *Client) Free(ctx context.Context, run, reason string) (said approve.Said, err error) {
	return said, c.call(ctx, http.MethodPost, "/v1/holds/"+url.PathEscape(run)+"/free", approve.Say{Reason: reason}, &said)
}
