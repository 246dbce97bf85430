package workspace

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// entity is what may follow an ampersand in text that is escaped.
var entity = regexp.MustCompile(`^&(amp|lt|gt);`)

func characters(s string) int { return utf8.RuneCountInString(s) }

// unescaped says whether text has what Slack reads as markup.
func unescaped(s string) bool {
	if strings.ContainsAny(s, "<>") {
		return true
	}
	for i := range len(s) {
		if s[i] == '&' && !entity.MatchString(s[i:]) {
			return true
		}
	}
	return false
}

// CheckBlocks refuses what https://docs.slack.dev/reference/block-kit/blocks
// says that Slack refuses.
func CheckBlocks(blocks []map[string]any, most int) refusal {
	if len(blocks) > most {
		return refusal(fmt.Sprintf("invalid_blocks: %d blocks", len(blocks)))
	}
	ids := map[string]bool{}
	for i, b := range blocks {
		if id, _ := b["block_id"].(string); id != "" {
			if ids[id] || characters(id) > 255 {
				return refusal(fmt.Sprintf("invalid_blocks: block %d: block_id", i))
			}
			ids[id] = true
		}
		if why := checkBlock(b); why != "" {
			return refusal(fmt.Sprintf("invalid_blocks: block %d: %s", i, why))
		}
	}
	return ""
}

func checkBlock(b map[string]any) string {
	switch b["type"] {
	case "header":
		return checkText(b["text"], 150, "plain_text")
	case "section":
		fields, has := b["fields"].([]any)
		if b["text"] == nil && !has {
			return "a section has text or fields"
		}
		if len(fields) > 10 {
			return "more than ten fields"
		}
		for _, f := range fields {
			if why := checkText(f, 2000, ""); why != "" {
				return why
			}
		}
		if b["text"] == nil {
			return ""
		}
		return checkText(b["text"], 3000, "")
	case "context":
		list, _ := b["elements"].([]any)
		if len(list) == 0 || len(list) > 10 {
			return "one to ten elements in a context"
		}
		for _, e := range list {
			if why := checkText(e, 3000, ""); why != "" {
				return why
			}
		}
		return ""
	case "actions":
		return checkActions(b)
	case "divider":
		return ""
	case "rich_text":
		return checkRich(b)
	case "input":
		if why := checkText(b["label"], 2000, "plain_text"); why != "" {
			return why
		}
		if e, _ := b["element"].(map[string]any); e["type"] != "plain_text_input" {
			return "an input that this workspace does not know"
		}
		return ""
	}
	return fmt.Sprintf("unknown block %v", b["type"])
}

// checkText looks at a text object. Text of Firebreak is never mrkdwn: whatever
// is in it would be markup.
func checkText(v any, most int, kind string) string {
	t, _ := v.(map[string]any)
	text, _ := t["text"].(string)
	switch {
	case t["type"] != "plain_text" && (kind != "" || t["type"] != "mrkdwn"):
		return fmt.Sprintf("a text is %v", t["type"])
	case t["type"] == "mrkdwn":
		return "test_markup: mrkdwn"
	case text == "" || characters(text) > most:
		return fmt.Sprintf("a text has %d of %d characters", characters(text), most)
	case unescaped(text):
		return "test_markup: a text is not escaped"
	case t["emoji"] == true:
		return "test_markup: emoji names of others would become pictures"
	}
	return ""
}

func checkActions(b map[string]any) string {
	list, _ := b["elements"].([]any)
	if len(list) == 0 || len(list) > 25 {
		return "one to 25 elements in actions"
	}
	ids := map[any]bool{}
	for _, v := range list {
		e, _ := v.(map[string]any)
		id, _ := e["action_id"].(string)
		value, _ := e["value"].(string)
		switch {
		case e["type"] != "button":
			return "an element that this workspace does not know"
		case id == "" || characters(id) > 255 || ids[id]:
			return "action_id " + id
		case characters(value) > 2000:
			return "a value is over 2000 characters"
		case e["style"] != nil && e["style"] != "primary" && e["style"] != "danger":
			return "style"
		}
		ids[id] = true
		if link, _ := e["url"].(string); characters(link) > 3000 || link != "" && !strings.HasPrefix(link, "https://") {
			return "a link that is no https URL, or over 3000 characters"
		}
		if why := checkText(e["text"], 75, "plain_text"); why != "" {
			return why
		}
		if sure, ok := e["confirm"].(map[string]any); ok {
			for key, most := range map[string]int{"title": 100, "text": 300, "confirm": 30, "deny": 30} {
				if why := checkText(sure[key], most, ""); why != "" {
					return "confirm " + key + ": " + why
				}
			}
		}
	}
	return ""
}

// checkRich looks at preformatted text, the only rich text that is known here.
func checkRich(b map[string]any) string {
	list, _ := b["elements"].([]any)
	for _, v := range list {
		e, _ := v.(map[string]any)
		parts, _ := e["elements"].([]any)
		if e["type"] != "rich_text_preformatted" || len(parts) == 0 {
			return "rich text that this workspace does not know"
		}
		for _, p := range parts {
			part, _ := p.(map[string]any)
			text, _ := part["text"].(string)
			if part["type"] != "text" || text == "" || characters(text) > 3000 {
				return "rich text is one to 3000 characters"
			}
		}
	}
	return ""
}

// checkView looks at a form or a home tab.
func checkView(v map[string]any) refusal {
	list, _ := v["blocks"].([]any)
	blocks := make([]map[string]any, 0, len(list))
	for _, b := range list {
		m, _ := b.(map[string]any)
		blocks = append(blocks, m)
	}
	if why := CheckBlocks(blocks, 100); why != "" {
		return why
	}
	meta, _ := v["private_metadata"].(string)
	switch {
	case len(blocks) == 0 || characters(meta) > 3000:
		return "invalid_arguments: view"
	case v["type"] == "modal":
		for _, key := range []string{"title", "submit", "close"} {
			if why := checkText(v[key], 24, "plain_text"); why != "" {
				return refusal("invalid_arguments: " + key + ": " + why)
			}
		}
	case v["type"] != "home":
		return "invalid_arguments: type"
	}
	return ""
}
