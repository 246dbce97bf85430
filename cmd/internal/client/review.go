package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/firebreak-io/firebreak/respond"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// Reviews lists the reviews of broken glass, and the alarms about how people
// decide.
func (c *Client) Reviews(ctx context.Context) (list approve.Reviews, err error) {
	return list, c.call(ctx, http.MethodGet, "/v1/reviews", nil, &list)
}

// CloseReview closes a review with what was found.
func (c *Client) CloseReview(ctx context.Context, id, note string) (r respond.Review, err error) {
	return r, c.call(ctx, http.MethodPost, "/v1/reviews/"+url.PathEscape(id)+"/close", approve.Say{Reason: note}, &r)
}

// BeginAnew begins the playbook of a run anew that nobody approved in time: the
// new run asks again.
func (c *Client) BeginAnew(ctx context.Context, run, reason string) (said approve.Said, err error) {
	path := "/v1/runs/" + url.PathEscape(run) + "/" + approve.BreakGlass
	return said, c.call(ctx, http.MethodPost, path, approve.Say{Reason: reason}, &said)
}
