package workspace

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// call carries out one call of the web API.
func (s *Server) call(method string, form url.Values) (map[string]any, time.Duration, refusal) {
	switch method {
	case "auth.test":
		return map[string]any{"team_id": Team, "user_id": "U0APP", "bot_id": "B0APP"}, 0, ""
	case "chat.postMessage", "chat.postEphemeral":
		return s.post(method, form)
	case "chat.update":
		return s.update(form)
	case "conversations.history":
		return s.history(form)
	case "conversations.info":
		if !s.channels[form.Get("channel")] {
			return nil, 0, "channel_not_found"
		}
		return map[string]any{"channel": map[string]any{"id": form.Get("channel"), "is_member": !slices.Contains(s.Absent, form.Get("channel"))}}, 0, ""
	case "users.info":
		return s.info(form)
	case "views.open", "views.publish":
		return s.open(method, form)
	case "apps.connections.open":
		return map[string]any{"url": "ws" + strings.TrimPrefix(s.base, "http") + "/socket"}, 0, ""
	}
	return nil, 0, "unknown_method"
}

// content reads and checks what a message consists of.
func content(form url.Values) (Message, refusal) {
	m := Message{Channel: form.Get("channel"), Text: form.Get("text"), Thread: form.Get("thread_ts")}
	if blocks := form.Get("blocks"); blocks != "" {
		if err := json.Unmarshal([]byte(blocks), &m.Blocks); err != nil {
			return m, "invalid_blocks_format"
		}
	}
	if meta := form.Get("metadata"); meta != "" {
		if err := json.Unmarshal([]byte(meta), &m.Metadata); err != nil {
			return m, "invalid_metadata_format"
		}
	}
	switch {
	case m.Text == "" && len(m.Blocks) == 0:
		return m, "no_text"
	case characters(m.Text) > 40_000:
		return m, "msg_too_long"
	case m.Text == "":
		return m, "no_text: a notification would show nothing"
	case form.Get("unfurl_links") != "false" || form.Get("unfurl_media") != "false":
		return m, "test_unfurls: links of others would be fetched"
	case form.Get("link_names") == "1" || form.Get("link_names") == "true" || form.Get("parse") == "full":
		return m, "test_link_names: names of others would become mentions"
	case unescaped(m.Text):
		return m, "test_markup: the text has markup"
	}
	return m, CheckBlocks(m.Blocks, 50)
}

func (s *Server) post(method string, form url.Values) (map[string]any, time.Duration, refusal) {
	m, why := content(form)
	switch {
	case why != "":
		return nil, 0, why
	case !s.channels[m.Channel] && s.members[m.Channel].ID == "":
		return nil, 0, "channel_not_found"
	}
	if method == "chat.postEphemeral" {
		if m.Only = form.Get("user"); s.members[m.Only].ID == "" {
			return nil, 0, "user_not_in_channel"
		}
	} else if wait := s.wait(m.Channel); wait > 0 {
		return nil, wait, ""
	}
	m.Broadcast = form.Get("reply_broadcast") == "true"
	if m.Broadcast && m.Thread == "" {
		return nil, 0, "invalid_arguments: reply_broadcast without thread_ts"
	}
	if m.Thread != "" && !slices.ContainsFunc(s.messages, func(o *Message) bool { return o.TS == m.Thread }) {
		return nil, 0, "thread_not_found"
	}
	s.next++
	m.TS = fmt.Sprintf("%d.%06d", time.Now().Unix(), s.next)
	s.messages = append(s.messages, &m)
	return map[string]any{"channel": m.Channel, "ts": m.TS, "message_ts": m.TS}, 0, ""
}

// wait is how long the channel takes nothing more.
func (s *Server) wait(channel string) time.Duration {
	if s.Pace == 0 {
		return 0
	}
	now := time.Now()
	if left := s.Pace - now.Sub(s.last[channel]); left > 0 && !s.last[channel].IsZero() {
		return left
	}
	s.last[channel] = now
	return 0
}

func (s *Server) update(form url.Values) (map[string]any, time.Duration, refusal) {
	m, why := content(form)
	if why != "" {
		return nil, 0, why
	}
	at := slices.IndexFunc(s.messages, func(o *Message) bool { return o.Channel == m.Channel && o.TS == form.Get("ts") && o.Only == "" })
	if at < 0 {
		return nil, 0, "message_not_found"
	}
	if wait := s.wait(m.Channel); wait > 0 {
		return nil, wait, ""
	}
	old := s.messages[at]
	old.Text, old.Blocks, old.Edits = m.Text, m.Blocks, old.Edits+1
	return map[string]any{"channel": m.Channel, "ts": old.TS, "text": old.Text}, 0, ""
}

func (s *Server) history(form url.Values) (map[string]any, time.Duration, refusal) {
	list := []map[string]any{}
	for _, m := range slices.Backward(s.messages) {
		if m.Channel != form.Get("channel") || m.Thread != "" || m.Only != "" || m.TS < form.Get("oldest") {
			continue
		}
		one := map[string]any{"type": "message", "ts": m.TS, "text": m.Text}
		if form.Get("include_all_metadata") != "" && form.Get("include_all_metadata") != "0" && m.Metadata != nil {
			one["metadata"] = m.Metadata
		}
		list = append(list, one)
	}
	return map[string]any{"messages": list}, 0, ""
}

func (s *Server) info(form url.Values) (map[string]any, time.Duration, refusal) {
	m, ok := s.members[form.Get("user")]
	if !ok {
		return nil, 0, "user_not_found"
	}
	return map[string]any{"user": map[string]any{
		"id": m.ID, "team_id": m.Team, "deleted": m.Deleted, "is_bot": m.Bot, "is_restricted": m.Restricted, "is_stranger": m.Stranger,
		"is_invited_user": m.Invited,
	}}, 0, ""
}

func (s *Server) open(method string, form url.Values) (map[string]any, time.Duration, refusal) {
	v := View{User: form.Get("user_id"), Trigger: form.Get("trigger_id")}
	if err := json.Unmarshal([]byte(form.Get("view")), &v.Body); err != nil {
		return nil, 0, "invalid_arguments"
	}
	if method == "views.open" && v.Trigger == "" {
		return nil, 0, "invalid_trigger_id"
	}
	if why := checkView(v.Body); why != "" {
		return nil, 0, why
	}
	s.views = append(s.views, v)
	return map[string]any{"view": v.Body}, 0, ""
}
