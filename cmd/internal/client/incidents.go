package client

import (
	"context"
	"net/url"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/incident"
)

// Incidents lists the incidents that a query asks for, page by page, the one
// with the newest finding last; of more than most (0 is all) the newest.
func (c *Client) Incidents(ctx context.Context, q incident.Query, most int) ([]event.Incident, error) {
	v := url.Values{}
	if q.Prefix != "" {
		v.Set("prefix", q.Prefix)
	}
	for _, s := range q.States {
		v.Add("state", string(s))
	}
	return pages[event.Incident](ctx, c, "/v1/incidents", v, q.Since, func(all []event.Incident) []event.Incident {
		all = incident.Newest(all)
		if most > 0 && len(all) > most {
			all = all[len(all)-most:]
		}
		return all
	})
}
