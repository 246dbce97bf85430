package slack

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/approve"
	"github.com/firebreak-io/firebreak/respond/journal"
)

// shown is an incident with what is remembered of its message.
type shown struct {
	card  Card
	entry *entry
	// urgent says that somebody has to decide something.
	urgent bool
}

// cards reads incidents, leaves out those that are for nobody, and puts first
// what people have to decide on, then by priority.
func (b *Board) cards(ctx context.Context, ids []string) ([]shown, error) {
	var list []shown
	for _, id := range ids {
		in, err := b.records.Incident(ctx, id)
		if problem := (approve.Problem{}); errors.As(err, &problem) {
			continue // it is older than what is kept
		}
		if err != nil {
			return nil, err
		}
		s := shown{card: Card{Incident: in}}
		for _, r := range in.Runs {
			rec, err := b.records.Run(ctx, r.ID)
			if problem := (approve.Problem{}); errors.As(err, &problem) {
				continue
			}
			if err != nil {
				return nil, err
			}
			s.card.Runs = append(s.card.Runs, rec.Run)
			s.urgent = s.urgent || open(rec.Run)
		}
		if s.entry, err = b.entries.load(ctx, id); err != nil {
			return nil, err
		}
		if s.entry.revision == 0 && !s.urgent && (in.Priority.Rank() < b.config.Lowest.Rank() || in.State.Over()) {
			continue
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(x, y shown) int {
		first := func(s shown) int {
			if s.urgent {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(first(x), first(y)), cmp.Compare(y.card.Incident.Priority.Rank(), x.card.Incident.Priority.Rank()))
	})
	return list, nil
}

// show brings one incident's message and thread up to date.
func (b *Board) show(ctx context.Context, s shown) error {
	id, e := s.card.Incident.ID, s.entry
	if e.Digest && !s.urgent && s.card.Incident.Priority.Rank() < event.SeverityCritical.Rank() {
		return nil // a line among many, until somebody has to decide something
	}
	m := s.card.Message(b.face)
	sum := digest(m)
	if e.TS == "" {
		return b.post(ctx, s, m, sum)
	}
	if sum != e.Hash {
		err := b.change(ctx, e, m)
		if isGone(err) {
			e.TS, e.Hash, e.Posting = "", "", b.now()
			return b.post(ctx, s, m, sum) // somebody deleted it
		}
		if err != nil {
			return err
		}
		e.Hash = sum
		if err := b.entries.save(ctx, id, e); err != nil {
			return err
		}
	}
	return b.tell(ctx, s)
}

// post makes the message. That it will is remembered before: if no answer
// comes, or we end, the message is looked for before it is posted again.
func (b *Board) post(ctx context.Context, s shown, m Message, sum string) error {
	id, e := s.card.Incident.ID, s.entry
	again := !e.Posting.IsZero()
	if e.Channel == "" {
		e.Channel = b.config.channel(s.card.Incident)
	}
	if !again {
		e.Posting = b.now()
	}
	e.Digest = false
	if err := b.entries.save(ctx, id, e); err != nil {
		return err
	}
	if again {
		ts, err := b.client.Find(ctx, e.Channel, id, e.Posting.Add(-foundBefore))
		if err != nil {
			return err
		}
		if ts != "" {
			e.TS = ts
			if err := b.change(ctx, e, m); err != nil && !isGone(err) {
				return err
			}
		}
	}
	if e.TS == "" {
		if err := b.allow(ctx, e.Channel); err != nil {
			return err
		}
		ts, err := b.client.Post(ctx, e.Channel, "", id, m)
		if err != nil {
			return err
		}
		e.TS = ts
	}
	e.Hash = sum
	if err := b.entries.save(ctx, id, e); err != nil {
		return err
	}
	return b.tell(ctx, s)
}

func (b *Board) change(ctx context.Context, e *entry, m Message) error {
	if err := b.allow(ctx, e.Channel); err != nil {
		return err
	}
	return b.client.Update(ctx, e.Channel, e.TS, m)
}

// foundBefore is by how much Slack's clock may be behind ours.
const foundBefore = 5 * time.Minute

// maxJournal bounds the lines that one message of a thread holds.
const maxJournal = 60

// tell puts what happened since into the thread, in one message.
func (b *Board) tell(ctx context.Context, s shown) error {
	lines, loud, err := b.news(ctx, s)
	if err != nil || len(lines) == 0 {
		return err
	}
	if len(lines) > maxJournal {
		left := len(lines) - maxJournal
		lines = append(lines[:maxJournal:maxJournal], "… and "+count(left, "more line")+"; firebreak runs show has them all")
	}
	var m Message
	m.Text = cutEscaped(lines[0], maxNotice)
	m.Loud = loud
	for chunk := range slices.Chunk(lines, 8) { // eight lines of at most 300 characters are within a block
		m.Blocks = append(m.Blocks, section(chunk...)...)
	}
	if err := b.allow(ctx, s.entry.Channel); err != nil {
		return err
	}
	if _, err := b.client.Post(ctx, s.entry.Channel, s.entry.TS, "", m); err != nil {
		return err
	}
	return b.entries.save(ctx, s.card.Incident.ID, s.entry)
}

// news are the lines of what is not in the thread yet, by time. The entry is
// brought to where they end. One that everybody should see makes them loud.
func (b *Board) news(ctx context.Context, s shown) (lines []string, loud bool, err error) {
	in, e := s.card.Incident, s.entry
	type moment struct {
		at   int64
		text string
	}
	var all []moment
	for i, m := range in.Timeline {
		if in.Forgotten+i < e.Moments || m.What == event.MomentRun {
			continue // of runs their own records say more
		}
		loud = loud || m.What == event.MomentBreakGlass
		text := Text(m.Text, maxText)
		if m.By != "" {
			text = Text(m.By, 100) + ": " + text
		}
		all = append(all, moment{m.Time.UnixNano(), m.Time.UTC().Format("15:04:05") + "  " + text})
	}
	e.Moments = in.Forgotten + len(in.Timeline)
	for _, r := range s.card.Runs {
		var before event.Run
		for rec, err := range b.records.History(ctx, r.ID) {
			if err != nil {
				return nil, false, err
			}
			if rec.Run.Record > e.Runs[r.ID] {
				for _, line := range journal.Moves(before, rec.Run) {
					all = append(all, moment{rec.Run.Updated.UnixNano(), rec.Run.Updated.UTC().Format("15:04:05") + "  run " + short(r.ID) + "  " + Text(line, maxText-30)})
				}
				e.Runs[r.ID] = rec.Run.Record
			}
			before = rec.Run
		}
	}
	slices.SortStableFunc(all, func(x, y moment) int { return cmp.Compare(x.at, y.at) })
	lines = make([]string, len(all))
	for i, m := range all {
		lines[i] = m.text
	}
	return lines, loud, nil
}

// digest names a message.
func digest(m Message) string {
	data, err := json.Marshal(m)
	if err != nil {
		return "" // never: blocks are plain data. It would only be written again.
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// isGone says that the message was deleted.
func isGone(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "message_not_found") || strings.Contains(err.Error(), "cant_update_message"))
}
