package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

const pagerdutyKind = "pagerduty"

func init() {
	register(Kind{
		Name: pagerdutyKind,
		Doc: "Pages by PagerDuty's Events API v2: an incident is one alert (dedup_key), which is acknowledged when somebody " +
			"decides on one of its runs, and resolved when the incident is closed.",
		Pages: true, Follows: true,
		Config: func() any { return &PagerDutyConfig{URL: "https://events.pagerduty.com/v2/enqueue"} },
		Check:  checked(pagerdutyKind, PagerDutyConfig.check),
		New:    made(pagerdutyKind, newPagerDuty),
	})
}

// PagerDutyConfig are the parameters of the kind pagerduty.
type PagerDutyConfig struct {
	// RoutingKey is the integration key of a service or an event orchestration.
	RoutingKey conf.SecretFile `yaml:"routing_key,required"`
	// URL is the address of the Events API; accounts in the EU have another.
	URL string `yaml:"url"`
	// AllowPrivate lets it be in a private network.
	AllowPrivate bool `yaml:"allow_private"`
}

func (c PagerDutyConfig) check() error {
	if c.RoutingKey.IsZero() {
		return errors.New("routing_key: want the file that holds it")
	}
	return checkURL(c.URL, c.AllowPrivate)
}

type pagerduty struct {
	Deps
	url, key string
	client   *http.Client
}

func newPagerDuty(d Deps, c PagerDutyConfig) (Notifier, error) {
	client, err := d.client(c.URL, c.AllowPrivate)
	if err != nil {
		return nil, err
	}
	key, err := d.secret(c.RoutingKey)
	return pagerduty{Deps: d, url: c.URL, key: key, client: client}, err
}

// pagerdutyEvent is https://developer.pagerduty.com/docs/send-alert-event.
type pagerdutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Client     string            `json:"client,omitempty"`
	ClientURL  string            `json:"client_url,omitempty"`
	Payload    *pagerdutyPayload `json:"payload,omitempty"`
}

type pagerdutyPayload struct {
	Summary   string         `json:"summary"`
	Source    string         `json:"source"`
	Severity  string         `json:"severity"`
	Timestamp string         `json:"timestamp"`
	Component string         `json:"component,omitempty"`
	Group     string         `json:"group,omitempty"`
	Class     string         `json:"class,omitempty"`
	Details   map[string]any `json:"custom_details"`
}

// Send sends one event. A 400 says that the event is not understood, which is
// final; 202 that it is stored there.
func (p pagerduty) Send(ctx context.Context, m Message) error {
	e := pagerdutyEvent{RoutingKey: p.key, Action: string(m.Op), DedupKey: m.dedup()}
	if m.Op == Trigger {
		n := m.Notice
		e.Client, e.ClientURL = "Firebreak", n.Link
		e.Payload = &pagerdutyPayload{
			Summary: title(m, 1024), Source: source(m), Severity: pagerdutySeverity(n.Severity),
			Timestamp: m.Created.UTC().Format(time.RFC3339), Component: line(n.Target.Name, 255),
			Group: line(n.Target.Namespace, 255), Class: line(n.Rule, 255), Details: details(m),
		}
	}
	body, err := json.Marshal(e)
	if err != nil {
		return &Refused{err}
	}
	return post(ctx, p.client, p.Deps, p.url, http.Header{}, body)
}

func pagerdutySeverity(s event.Severity) string {
	switch s {
	case event.SeverityCritical:
		return "critical"
	case event.SeverityHigh:
		return "error"
	case event.SeverityMedium:
		return "warning"
	}
	return "info"
}
