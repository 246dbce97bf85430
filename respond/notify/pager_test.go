package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

// pager is a server that refuses what the real ones refuse, and keeps alerts as
// they do.
type pager struct {
	t   *testing.T
	url string

	mu     sync.Mutex
	alerts map[string]string // by dedup key or alias: open, acknowledged, closed
	log    []string
	status int
}

func newPager(t *testing.T) *pager {
	p := &pager{t: t, alerts: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/enqueue", p.events)
	mux.HandleFunc("POST /v2/alerts", p.create)
	mux.HandleFunc("POST /v2/alerts/{alias}/{do}", p.change)
	mux.HandleFunc("POST /hook", p.hook)
	mux.HandleFunc("POST /api/v2/alerts", p.alertmanager)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *pager) deps() Deps {
	return Deps{Inside: func(string) *http.Client { return http.DefaultClient }, Now: func() time.Time { return noon.Add(time.Hour) }}
}

// body decodes strictly: an unknown key is a mistake of ours.
func (p *pager) body(w http.ResponseWriter, r *http.Request, into any) bool {
	p.mu.Lock()
	status := p.status
	p.mu.Unlock()
	if status != 0 {
		w.WriteHeader(status)
		return false
	}
	dec := json.NewDecoder(io.LimitReader(r.Body, 512<<10))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err != nil || r.Header.Get("Content-Type") != "application/json" {
		p.refuse(w, "body: %v", err)
		return false
	}
	return true
}

func (p *pager) refuse(w http.ResponseWriter, format string, args ...any) {
	p.t.Errorf("the pager refuses: %.500s", fmt.Sprintf(format, args...))
	w.WriteHeader(http.StatusBadRequest)
}

func (p *pager) set(key, state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alerts[key] = state
	p.log = append(p.log, state)
}

func (p *pager) events(w http.ResponseWriter, r *http.Request) {
	var e struct {
		RoutingKey string `json:"routing_key"`
		Action     string `json:"event_action"`
		DedupKey   string `json:"dedup_key"`
		Client     string `json:"client"`
		ClientURL  string `json:"client_url"`
		Payload    *struct {
			Summary, Source, Severity, Timestamp, Component, Group, Class string
			Details                                                       map[string]any `json:"custom_details"`
		}
	}
	if !p.body(w, r, &e) {
		return
	}
	state := map[string]string{"trigger": "open", "acknowledge": "acknowledged", "resolve": "closed"}[e.Action]
	switch {
	case len(e.RoutingKey) != 32 || state == "" || e.DedupKey == "" || len(e.DedupKey) > 255:
		p.refuse(w, "%+v", e)
		return
	case e.Action == "trigger":
		d := e.Payload
		if d == nil || d.Summary == "" || len(d.Summary) > 1024 || d.Source == "" || !slices.Contains([]string{"critical", "error", "warning", "info"}, d.Severity) {
			p.refuse(w, "%+v", d)
			return
		}
		if _, err := time.Parse(time.RFC3339, d.Timestamp); err != nil {
			p.refuse(w, "timestamp %q", d.Timestamp)
			return
		}
	}
	p.set(e.DedupKey, state)
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"status":"success","message":"Event processed","dedup_key":%q}`, e.DedupKey)
}

func (p *pager) create(w http.ResponseWriter, r *http.Request) {
	var a struct {
		Message, Alias, Description, Entity, Source, Priority string
		Details                                               map[string]string
		Tags                                                  []string
		Responders                                            []map[string]string
	}
	if !p.body(w, r, &a) {
		return
	}
	if r.Header.Get("Authorization") != "GenieKey k" || a.Message == "" || len(a.Message) > 130 || len(a.Alias) > 512 || a.Alias == "" ||
		len(a.Description) > 15000 || len(a.Entity) > 512 || len(a.Source) > 100 || !slices.Contains([]string{"P1", "P2", "P3", "P4", "P5"}, a.Priority) {
		p.refuse(w, "%+v", a)
		return
	}
	total := 0
	for k, v := range a.Details {
		total += len(k) + len(v)
	}
	if total > 8000 {
		p.refuse(w, "%d characters of details", total)
		return
	}
	p.set(a.Alias, "open")
	w.WriteHeader(http.StatusAccepted)
}

func (p *pager) change(w http.ResponseWriter, r *http.Request) {
	var a struct{ Source, Note, User string }
	if !p.body(w, r, &a) {
		return
	}
	state := map[string]string{"acknowledge": "acknowledged", "close": "closed"}[r.PathValue("do")]
	if r.Header.Get("Authorization") != "GenieKey k" || r.URL.Query().Get("identifierType") != "alias" || state == "" {
		p.refuse(w, "%s", r.URL)
		return
	}
	p.set(r.PathValue("alias"), state)
	w.WriteHeader(http.StatusAccepted)
}

func (p *pager) hook(w http.ResponseWriter, r *http.Request) {
	var g struct {
		Version, GroupKey, Status, Receiver, ExternalURL string
		TruncatedAlerts                                  int
		GroupLabels, CommonLabels, CommonAnnotations     map[string]string
		Alerts                                           []struct {
			Status, StartsAt, EndsAt, GeneratorURL, Fingerprint string
			Labels, Annotations                                 map[string]string
		}
	}
	if !p.body(w, r, &g) {
		return
	}
	if g.Version != "4" || len(g.Alerts) != 1 || g.Alerts[0].Status != g.Status || g.Alerts[0].Labels["alertname"] == "" || r.Header.Get("Authorization") != "Bearer k" {
		p.refuse(w, "%+v", g)
		return
	}
	p.set(g.GroupKey, map[string]string{"firing": "open", "resolved": "closed"}[g.Status])
}

func (p *pager) alertmanager(w http.ResponseWriter, r *http.Request) {
	var list []struct {
		StartsAt, EndsAt, GeneratorURL string
		Labels, Annotations            map[string]string
	}
	if !p.body(w, r, &list) {
		return
	}
	for _, a := range list {
		starts, err := time.Parse(time.RFC3339, a.StartsAt)
		ends, err2 := time.Parse(time.RFC3339, a.EndsAt)
		if err != nil || err2 != nil || ends.Before(starts) || a.Labels["alertname"] == "" {
			p.refuse(w, "%+v", a)
			return
		}
		state := "open"
		if !ends.After(noon.Add(time.Hour)) {
			state = "closed"
		}
		p.set(fmt.Sprint(a.Labels), state) // an alert is its labels
	}
}

// hostile is a message whose every text is as bad as it can be.
func hostile() Message {
	bad := strings.Repeat("<script>\r\n@channel \x1b[2J\u202e", 500)
	return Message{
		Receiver: "ops", Key: "run1/" + bad[:200], Incident: strings.Repeat("i", 400), Run: bad, Step: bad, Op: Trigger, Created: noon,
		Notice: Notice{
			Title: bad, Text: bad, Severity: event.SeverityHigh, Playbook: bad, Rule: bad, Cluster: bad,
			Target: event.PodRef(bad, bad), Steps: []string{bad, bad, bad},
		},
	}
}

// Each pager keeps one alert an incident, which is opened, taken and closed.
func TestPagers(t *testing.T) {
	p := newPager(t)
	key := func(k string) EmailConfig { return EmailConfig{Password: secretFile(t, k)} }
	for name, c := range map[string]struct {
		kind   string
		config any
		want   string
	}{
		"pagerduty":        {pagerdutyKind, &PagerDutyConfig{RoutingKey: key(strings.Repeat("r", 32)).Password, URL: p.url + "/v2/enqueue", AllowPrivate: true}, "open open acknowledged closed"},
		"opsgenie":         {opsgenieKind, &OpsgenieConfig{Key: key("k").Password, URL: p.url, AllowPrivate: true, Team: "ops"}, "open open acknowledged closed"},
		"alertmanager":     {alertmanagerKind, &AlertmanagerConfig{As: "webhook", URL: p.url + "/hook", Token: key("k").Password, AllowPrivate: true}, "open open closed"},
		"alertmanager api": {alertmanagerKind, &AlertmanagerConfig{As: "api", URL: p.url, AllowPrivate: true}, "open open closed"},
	} {
		t.Run(name, func(t *testing.T) {
			p.mu.Lock()
			p.alerts, p.log = map[string]string{}, nil
			p.mu.Unlock()
			n := build(t, c.kind, p.deps(), c.config)
			plain := Message{Receiver: "ops", Key: "run1/tell", Incident: "i1", Op: Trigger, Created: noon, Notice: Notice{Cluster: "c"}}
			for _, op := range []Op{Trigger, Trigger, Acknowledge, Resolve} {
				plain.Op = op
				if err := n.Send(t.Context(), plain); err != nil {
					t.Fatal(op, err)
				}
			}
			if got := strings.Join(p.log, " "); got != c.want || len(p.alerts) != 1 {
				t.Errorf("%s: %v", got, slices.Collect(maps.Keys(p.alerts)))
			}
			for _, op := range []Op{Trigger, Acknowledge, Resolve} {
				bad := hostile()
				bad.Op = op
				if err := n.Send(t.Context(), bad); err != nil {
					t.Errorf("hostile %s: %v", op, err)
				}
			}
			p.mu.Lock()
			p.status = http.StatusTooManyRequests
			p.mu.Unlock()
			plain.Op = Trigger
			var refused *Refused
			if err := n.Send(t.Context(), plain); err == nil || errors.As(err, &refused) {
				t.Errorf("429: %v", err)
			}
			p.mu.Lock()
			p.status = 0
			p.mu.Unlock()
		})
	}
}
