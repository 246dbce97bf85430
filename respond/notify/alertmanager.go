package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

const alertmanagerKind = "alertmanager"

func init() {
	register(Kind{
		Name: alertmanagerKind,
		Doc: "Sends alerts as Prometheus' Alertmanager does to a webhook (version 4), or to an Alertmanager (API v2). An " +
			"incident is one alert, which is resolved with it.",
		Pages: true, Follows: true,
		Config: func() any { return &AlertmanagerConfig{As: "webhook"} },
		Check:  checked(alertmanagerKind, AlertmanagerConfig.check),
		New:    made(alertmanagerKind, newAlertmanager),
	})
}

// AlertmanagerConfig are the parameters of the kind alertmanager.
type AlertmanagerConfig struct {
	// URL is the webhook's, or where /api/v2/alerts of an Alertmanager is.
	URL string `yaml:"url,required"`
	// As is webhook (what an Alertmanager sends) or api (what one takes).
	As string `yaml:"as"`
	// Token is a bearer token that the receiver wants.
	Token conf.SecretFile `yaml:"token"`
	// AllowPrivate lets it be in a private network.
	AllowPrivate bool `yaml:"allow_private"`
}

func (c AlertmanagerConfig) check() error {
	if c.As != "webhook" && c.As != "api" {
		return errors.New("as: want webhook or api")
	}
	return checkURL(c.URL, c.AllowPrivate)
}

type alertmanager struct {
	Deps
	config AlertmanagerConfig
	token  string
	client *http.Client
}

func newAlertmanager(d Deps, c AlertmanagerConfig) (Notifier, error) {
	client, err := d.client(c.URL, c.AllowPrivate)
	if err != nil {
		return nil, err
	}
	token, err := d.secret(c.Token)
	return alertmanager{Deps: d, config: c, token: token, client: client}, err
}

// alert is one in both forms; Status and Fingerprint are the webhook's.
type alert struct {
	Status      string            `json:"status,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    string            `json:"startsAt"`
	EndsAt      string            `json:"endsAt,omitempty"`
	Generator   string            `json:"generatorURL,omitempty"`
	Fingerprint string            `json:"fingerprint,omitempty"`
}

// group is what an Alertmanager posts
// (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
type group struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	Truncated         int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []alert           `json:"alerts"`
}

// stands is for how long an alert stands in an Alertmanager that hears nothing
// more of it.
const stands = 24 * time.Hour

// Send posts one alert. Nobody acknowledges in an Alertmanager: that is taken as
// said.
func (a alertmanager) Send(ctx context.Context, m Message) error {
	if m.Op == Acknowledge {
		return nil
	}
	one := a.alert(m)
	to, body := a.config.URL, any([]alert{one})
	if a.config.As == "api" {
		to = strings.TrimRight(to, "/") + "/api/v2/alerts"
	} else {
		one.Status, one.Fingerprint = status(m), m.dedup()
		body = group{
			Version: "4", GroupKey: m.dedup(), Status: one.Status, Receiver: m.Receiver, GroupLabels: map[string]string{"incident": one.Labels["incident"]},
			CommonLabels: one.Labels, CommonAnnotations: one.Annotations, ExternalURL: one.Generator, Alerts: []alert{one},
		}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return &Refused{err}
	}
	header := http.Header{KeyHeader: {m.idempotency()}}
	if a.token != "" {
		header.Set("Authorization", "Bearer "+a.token)
	}
	return post(ctx, a.client, a.Deps, to, header, data)
}

func status(m Message) string {
	if m.Op == Resolve {
		return "resolved"
	}
	return "firing"
}

// alert is told apart by its labels: they are the same when it is resolved.
func (a alertmanager) alert(m Message) alert {
	n, now := m.Notice, a.now()
	one := alert{
		Labels:      map[string]string{"alertname": "FirebreakIncident", "incident": line(m.Incident, 200)},
		Annotations: map[string]string{"summary": title(m, 1024), "description": words(m)},
		StartsAt:    m.Created.UTC().Format(time.RFC3339), Generator: n.Link,
	}
	if n.Cluster != "" {
		one.Labels["cluster"] = line(n.Cluster, 200)
	}
	switch {
	case m.Op == Resolve:
		one.EndsAt = now.UTC().Format(time.RFC3339)
	case a.config.As == "api":
		one.EndsAt = now.Add(stands).UTC().Format(time.RFC3339)
	}
	if n.Severity != "" {
		one.Annotations["severity"] = string(n.Severity)
	}
	return one
}
