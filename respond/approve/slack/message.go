package slack

import (
	"slices"
	"strings"

	slackapi "github.com/slack-go/slack"
)

// Limits of Slack's Block Kit, in characters and numbers; see
// https://docs.slack.dev/reference/block-kit/blocks.
const (
	maxHeader  = 150
	maxSection = 3000
	maxField   = 2000
	maxButton  = 75
	maxConfirm = 300
	maxNotice  = 2000 // Slack takes 40,000; a notification shows far less
)

// Message is what stands in a channel. Text is what a notification shows.
type Message struct {
	// Loud says that it shows in the channel also where it stands in a thread.
	Loud   bool `json:"-"`
	Text   string
	Blocks []slackapi.Block
}

// plain is text that Slack shows as it is. It is escaped already.
func plain(text string) *slackapi.TextBlockObject {
	return slackapi.NewTextBlockObject(slackapi.PlainTextType, text, false, false)
}

func header(text string) slackapi.Block {
	return slackapi.NewHeaderBlock(plain(cutEscaped(text, maxHeader)))
}

// section is a block of lines, none where there are none.
func section(lines ...string) []slackapi.Block {
	if lines = said(lines); len(lines) == 0 {
		return nil
	}
	return []slackapi.Block{slackapi.NewSectionBlock(plain(fit(lines, maxSection)), nil, nil)}
}

// said leaves out lines with nothing on them, which Slack refuses.
func said(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.TrimSpace(l) == "" })
}

// fields are up to ten short texts in two columns.
func fields(texts ...string) slackapi.Block {
	list := make([]*slackapi.TextBlockObject, 0, len(texts))
	for _, t := range texts[:min(len(texts), 10)] {
		list = append(list, plain(cutEscaped(t, maxField)))
	}
	return slackapi.NewSectionBlock(nil, list, nil)
}

// aside is small print.
func aside(lines ...string) []slackapi.Block {
	if lines = said(lines); len(lines) == 0 {
		return nil
	}
	return []slackapi.Block{slackapi.NewContextBlock("", plain(fit(lines, maxField)))}
}

// listing is text to be read to the letter. It is raw: rich text knows no
// markup, and what is escaped would be shown as such.
func listing(text string) []slackapi.Block {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return []slackapi.Block{slackapi.NewRichTextBlock("", &slackapi.RichTextPreformatted{
		Type:     slackapi.RTEPreformatted,
		Elements: []slackapi.RichTextSectionElement{slackapi.NewRichTextSectionTextElement(cut(text, maxSection), nil)},
	})}
}

// button is one, with what it asks before it is taken as pressed.
func button(s Sealer, text string, o Order, style slackapi.Style, sure string) *slackapi.ButtonBlockElement {
	b := slackapi.NewButtonBlockElement(string(o.Deed), s.Seal(o), plain(cut(text, maxButton)))
	b.Style = style
	if sure != "" {
		b.Confirm = slackapi.NewConfirmationBlockObject(plain("Are you sure?"), plain(cutEscaped(sure, maxConfirm)), plain(cut(text, 30)), plain("Not yet"))
	}
	return b
}

// buttons are a row of them.
func buttons(row ...*slackapi.ButtonBlockElement) []slackapi.Block {
	if len(row) == 0 {
		return nil
	}
	elements := make([]slackapi.BlockElement, len(row))
	for i, b := range row {
		elements[i] = b
	}
	return []slackapi.Block{slackapi.NewActionBlock("", elements...)}
}
