package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

const opsgenieKind = "opsgenie"

func init() {
	register(Kind{
		Name: opsgenieKind,
		Doc: "Pages by Opsgenie's Alert API v2, or what is compatible with it: an incident is one alert (alias), which is " +
			"acknowledged when somebody decides on one of its runs, and closed with the incident.",
		Pages: true, Follows: true,
		Config: func() any { return &OpsgenieConfig{URL: "https://api.opsgenie.com"} },
		Check:  checked(opsgenieKind, OpsgenieConfig.check),
		New:    made(opsgenieKind, newOpsgenie),
	})
}

// OpsgenieConfig are the parameters of the kind opsgenie.
type OpsgenieConfig struct {
	// Key is the key of an API integration.
	Key conf.SecretFile `yaml:"key,required"`
	// URL is where /v2/alerts is; accounts in the EU have another.
	URL string `yaml:"url"`
	// Team is who is told, if the integration does not say.
	Team string `yaml:"team"`
	// AllowPrivate lets it be in a private network.
	AllowPrivate bool `yaml:"allow_private"`
}

func (c OpsgenieConfig) check() error {
	if c.Key.IsZero() {
		return errors.New("key: want the file that holds it")
	}
	return checkURL(c.URL, c.AllowPrivate)
}

type opsgenie struct {
	Deps
	config OpsgenieConfig
	key    string
	client *http.Client
}

func newOpsgenie(d Deps, c OpsgenieConfig) (Notifier, error) {
	client, err := d.client(c.URL, c.AllowPrivate)
	if err != nil {
		return nil, err
	}
	key, err := d.secret(c.Key)
	return opsgenie{Deps: d, config: c, key: key, client: client}, err
}

// Send creates an alert, acknowledges or closes it
// (https://docs.opsgenie.com/docs/alert-api). One that is created again under
// its alias is the same.
func (o opsgenie) Send(ctx context.Context, m Message) error {
	path, alert := "/v2/alerts", map[string]any{"source": "firebreak", "note": line(m.Key, 200)}
	switch m.Op {
	case Trigger:
		alert = o.alert(m)
	case Acknowledge:
		path += "/" + url.PathEscape(m.dedup()) + "/acknowledge?identifierType=alias"
	case Resolve:
		path += "/" + url.PathEscape(m.dedup()) + "/close?identifierType=alias"
	}
	body, err := json.Marshal(alert)
	if err != nil {
		return &Refused{err}
	}
	header := http.Header{"Authorization": {"GenieKey " + o.key}}
	return post(ctx, o.client, o.Deps, strings.TrimRight(o.config.URL, "/")+path, header, body)
}

func (o opsgenie) alert(m Message) map[string]any {
	shown := map[string]string{}
	for k, v := range details(m) {
		text, ok := v.(string)
		if !ok {
			text = line(fmt.Sprint(v), maxText)
		}
		shown[k] = text
	}
	alert := map[string]any{
		"message": title(m, 130), "alias": m.dedup(), "description": words(m), "entity": source(m), "source": "firebreak",
		"priority": opsgeniePriority(m.Notice.Severity), "details": shown, "tags": []string{"firebreak"},
	}
	if o.config.Team != "" {
		alert["responders"] = []map[string]string{{"name": o.config.Team, "type": "team"}}
	}
	return alert
}

func opsgeniePriority(s event.Severity) string {
	switch s {
	case event.SeverityCritical:
		return "P1"
	case event.SeverityHigh:
		return "P2"
	case event.SeverityMedium:
		return "P3"
	case event.SeverityLow:
		return "P4"
	}
	return "P5"
}
