package slack

import (
	"context"
	"fmt"
	"slices"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// view shows how things stand: in the app's own tab, and to who asks.
type view struct {
	desk approve.Desk
	face face
}

// How many of each are shown.
const (
	maxIncidents = 20
	maxQuestions = 4
	maxHolds     = 20
)

// overview renders what stands open, for somebody who may see it.
func (v view) overview(ctx context.Context, who kube.User) ([]slackapi.Block, error) {
	if err := v.desk.May(ctx, who, "list", "incidents", "", ""); err != nil {
		return nil, err
	}
	incidents, err := v.incidents(ctx)
	if err != nil {
		return nil, err
	}
	runs, err := v.runs(ctx, incidents)
	if err != nil {
		return nil, err
	}
	status, err := v.desk.Status(ctx)
	if err != nil {
		return nil, err
	}
	blocks := v.status(status)
	reviews, err := v.reviews(ctx, who)
	if err != nil {
		return nil, err
	}
	blocks = append(blocks, reviews...)
	blocks = append(blocks, v.waiting(runs)...)
	blocks = append(blocks, header(count(len(incidents), "open incident")))
	var lines []string
	for _, in := range incidents[:min(len(incidents), maxIncidents)] {
		lines = append(lines, fmt.Sprintf("%s · %s · %s", Card{Incident: in}.headline(), object(in.Subject), short(in.ID)))
	}
	blocks = append(blocks, section(lines...)...)
	lines = nil
	for _, r := range runs {
		if lines = append(lines, holds(r)...); len(lines) > maxHolds {
			break
		}
	}
	if len(lines) > 0 {
		blocks = append(blocks, header("What is held"))
		blocks = append(blocks, section(lines[:min(len(lines), maxHolds)]...)...)
	}
	return blocks, nil
}

// status says whether effects are held back, with the button for the other.
func (v view) status(s approve.Status) []slackapi.Block {
	if !s.Paused {
		blocks := section("Firebreak is at work. Its ceiling is " + Text(string(s.Ceiling), 20) + ".")
		return append(blocks, buttons(button(v.face.Sealer, "Pause…", Order{Deed: DeedPause, Why: true}, slackapi.StyleDanger, ""))...)
	}
	text := "Firebreak is paused by " + Text(s.By, 120)
	if s.Reason != "" {
		text += ": " + Text(s.Reason, maxText)
	}
	if s.Need > 1 {
		text += fmt.Sprintf(". %d of %d want it to go on.", len(s.Release), s.Need)
	}
	return append(section(text), buttons(button(v.face.Sealer, "Resume", Order{Deed: DeedResume, Digest: pauseName(s)}, slackapi.StylePrimary, "Effects begin again."))...)
}

// waiting are the questions that are open.
func (v view) waiting(runs []event.Run) []slackapi.Block {
	runs = slices.DeleteFunc(slices.Clone(runs), func(r event.Run) bool { return !open(r) })
	if len(runs) == 0 {
		return section("Nothing waits for a decision.")
	}
	blocks := []slackapi.Block{header(count(len(runs), "decision") + " to be made")}
	for _, r := range runs[:min(len(runs), maxQuestions)] {
		blocks = append(blocks, runBlocks(v.face, r)...)
		blocks = append(blocks, slackapi.NewDividerBlock())
	}
	return blocks
}

// incidents are the open ones, the worst first.
func (v view) incidents(ctx context.Context) ([]event.Incident, error) {
	list, err := v.desk.Incidents.Open(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b event.Incident) int { return b.Priority.Rank() - a.Priority.Rank() })
	return list, nil
}

// runs are those of the incidents that are not over.
func (v view) runs(ctx context.Context, incidents []event.Incident) ([]event.Run, error) {
	var list []event.Run
	for _, in := range incidents {
		for _, r := range in.Runs {
			if r.State.Terminal() {
				continue
			}
			rec, err := v.desk.Run(ctx, r.ID)
			if err != nil {
				return nil, err
			}
			if list = append(list, rec.Run); len(list) == 100 {
				return list, nil
			}
		}
	}
	return list, nil
}
