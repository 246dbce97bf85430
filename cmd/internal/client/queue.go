package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/firebreak-io/firebreak/respond/approve"
)

// Approvals lists what waits for people.
func (c *Client) Approvals(ctx context.Context) (q approve.Queue, err error) {
	return q, c.call(ctx, http.MethodGet, "/v1/approvals", nil, &q)
}

// SayRest answers all questions of the rest, of the digest that was shown.
func (c *Client) SayRest(ctx context.Context, deed string, what approve.Say) (said approve.SaidRest, err error) {
	return said, c.call(ctx, http.MethodPost, "/v1/approvals/rest/"+url.PathEscape(deed), what, &said)
}
