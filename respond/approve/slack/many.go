package slack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

const (
	// maxMany bounds how many incidents one message tells of, manyLines how many
	// of them a block does: with what others wrote they are within a block then.
	maxMany   = 100
	manyLines = 8
)

// unheard is a message about many of which it is not known whether it was taken.
type unheard struct {
	key   string
	since time.Time
	many  map[string]bool
}

// gather puts incidents that are new, many and not urgent into one message, a
// line each, and gives back the others: an outage must not end in a flood.
func (b *Board) gather(ctx context.Context, list []shown) ([]shown, error) {
	by := map[string][]shown{}
	var rest []shown
	for _, s := range list {
		if s.entry.revision == 0 && !s.urgent && s.card.Incident.Priority.Rank() < event.SeverityCritical.Rank() {
			channel := b.config.channel(s.card.Incident)
			by[channel] = append(by[channel], s)
			continue
		}
		rest = append(rest, s)
	}
	for _, channel := range slices.Sorted(maps.Keys(by)) {
		many, err := b.heard(ctx, channel, by[channel])
		if err != nil {
			return nil, err
		}
		for len(many) > digestAbove {
			n := min(len(many), maxMany)
			if err := b.list(ctx, channel, many[:n]); err != nil {
				return nil, err
			}
			many = many[n:]
		}
		rest = append(rest, many...)
	}
	return rest, nil
}

// heard looks whether the last message about many is there, of which no answer
// came, and gives those that are not in it.
func (b *Board) heard(ctx context.Context, channel string, many []shown) ([]shown, error) {
	last, ok := b.unheard[channel]
	if !ok {
		return many, nil
	}
	ts, err := b.client.Find(ctx, channel, last.key, last.since.Add(-foundBefore))
	if err != nil {
		return nil, err
	}
	delete(b.unheard, channel)
	if ts == "" {
		return many, nil
	}
	var rest []shown
	for _, s := range many {
		if !last.many[s.card.Incident.ID] {
			rest = append(rest, s)
		} else if err := b.listed(ctx, channel, s); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// list tells of many in one message.
func (b *Board) list(ctx context.Context, channel string, many []shown) error {
	this := unheard{since: b.now(), many: map[string]bool{}}
	lines, ids := make([]string, len(many)), make([]string, len(many))
	for i, s := range many {
		ids[i] = s.card.Incident.ID
		this.many[ids[i]] = true
		lines[i] = fmt.Sprintf("%s · %s · incident %s", Card{Incident: s.card.Incident}.headline(), object(s.card.Incident.Subject), short(ids[i]))
	}
	this.key = event.HashID(ids...)
	m := Message{Text: count(len(many), "new incident")}
	m.Blocks = []slackapi.Block{header(m.Text)}
	for part := range slices.Chunk(lines, manyLines) {
		m.Blocks = append(m.Blocks, section(part...)...)
	}
	if err := b.allow(ctx, channel); err != nil {
		return err
	}
	ts, err := b.client.Post(ctx, channel, "", this.key, m)
	if err != nil {
		b.unheard[channel] = this
		return err
	}
	for _, s := range many {
		if err := b.listed(ctx, channel, s); err != nil {
			return err
		}
	}
	b.logger.InfoContext(ctx, "incidents are told of in one message", "incidents", len(many), "channel", channel, "message", ts)
	return nil
}

// listed remembers that an incident is a line among many.
func (b *Board) listed(ctx context.Context, channel string, s shown) error {
	s.entry.Channel, s.entry.Digest, s.entry.Posting = channel, true, b.now()
	if err := b.entries.save(ctx, s.card.Incident.ID, s.entry); err != nil && !errors.Is(err, bus.ErrConflict) {
		return err
	}
	return nil
}
