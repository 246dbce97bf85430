package workspace

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Press is somebody's press of a button.
type Press struct {
	User, Team string
	Channel    string
	// Action is the button's id, Value what it carries.
	Action, Value string
	At            time.Time
}

// Button finds a button in a message.
func (m Message) Button(action string) (value string, ok bool) {
	for _, b := range m.Blocks {
		list, _ := b["elements"].([]any)
		for _, v := range list {
			if e, _ := v.(map[string]any); e["type"] == "button" && e["action_id"] == action {
				value, _ = e["value"].(string)
				return value, true
			}
		}
	}
	return "", false
}

// Shows is all text that a message shows.
func (m Message) Shows() string {
	data, _ := json.Marshal(m.Blocks)
	return m.Text + "\n" + string(data)
}

// Payload is a press as Slack tells it.
func (p Press) Payload() []byte {
	if p.Team == "" {
		p.Team = Team
	}
	at := fmt.Sprintf("%d.000100", p.At.Unix())
	data, _ := json.Marshal(map[string]any{
		"type": "block_actions", "user": map[string]any{"id": p.User, "team_id": p.Team, "username": "admin", "name": "admin"},
		"team": map[string]any{"id": p.Team, "domain": "shop"}, "channel": map[string]any{"id": p.Channel, "name": "sec"},
		"trigger_id": "trigger." + p.User + "." + at, "api_app_id": "A0001", "token": "verification",
		"actions": []any{map[string]any{"type": "button", "action_id": p.Action, "block_id": "b", "value": p.Value, "action_ts": at}},
	})
	return data
}

// Submission is a form that somebody sent, as Slack tells it.
func Submission(user string, view View, reason string) []byte {
	data, _ := json.Marshal(map[string]any{
		"type": "view_submission", "user": map[string]any{"id": user, "team_id": Team}, "team": map[string]any{"id": Team},
		"view": map[string]any{
			"type": "modal", "callback_id": view.Body["callback_id"], "private_metadata": view.Body["private_metadata"],
			"state": map[string]any{"values": map[string]any{"why": map[string]any{"why": map[string]any{"type": "plain_text_input", "value": reason}}}},
		},
	})
	return data
}

// Form is a payload in the form in which Slack posts it.
func Form(payload []byte) string { return url.Values{"payload": {string(payload)}}.Encode() }

// Sign signs a body as Slack does.
func Sign(secret, body string, at time.Time) http.Header {
	stamp := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("v0:" + stamp + ":" + body))
	h := http.Header{}
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Set("X-Slack-Request-Timestamp", stamp)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return h
}

// Send posts a body with headers, and gives the status, the answer and how long
// it took. Slack waits three seconds.
func Send(client *http.Client, url, body string, header http.Header) (status int, answer string, took time.Duration, err error) {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body)) //nolint:noctx // the client's time limit is the test's
	if err != nil {
		return 0, "", 0, err
	}
	r.Header = header
	began := time.Now()
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), time.Since(began), err
}
