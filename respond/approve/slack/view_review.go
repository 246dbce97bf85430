package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"

	slackapi "github.com/slack-go/slack"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube"
	"github.com/firebreak-io/firebreak/respond/approve"
)

// How many reviews and alarms are shown.
const (
	maxReviews = 5
	maxAlarms  = 5
)

// reviews are those of broken glass that are open, and who seems to approve
// without looking, for who may see that.
func (v view) reviews(ctx context.Context, who kube.User) ([]slackapi.Block, error) {
	all, err := v.desk.Reviews(ctx, who)
	if refused := (approve.Problem{}); errors.As(err, &refused) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var blocks []slackapi.Block
	open := 0
	for _, r := range all.Reviews {
		if !r.Open() {
			continue
		}
		if open++; open > maxReviews {
			continue
		}
		line := fmt.Sprintf("%s broke the glass for playbook %s on %s (%s): %s", Text(r.By, 120), Text(r.Playbook, 63), object(r.Target), Text(strings.Join(r.Steps, ", "), 200), Text(r.Reason, maxText))
		due := "To be reviewed by " + r.Due.UTC().Format("2006-01-02 15:04 UTC")
		if r.Late {
			due = "LATE since " + r.Due.UTC().Format("2006-01-02 15:04 UTC")
		}
		blocks = append(blocks, section(line, due+" · review "+short(r.ID)+" · run "+short(r.Run))...)
		blocks = append(blocks, buttons(button(v.face.Sealer, "Reviewed…", Order{Deed: DeedReview, On: r.ID, Why: true}, "", ""))...)
	}
	if open > 0 {
		blocks = append([]slackapi.Block{header(fmt.Sprintf("Broken glass to be reviewed: %d", open))}, blocks...)
	}
	var lines []string
	for _, a := range all.Alarms[max(len(all.Alarms)-maxAlarms, 0):] {
		lines = append(lines, fmt.Sprintf("%s  %s: %s", a.Time.UTC().Format("2006-01-02 15:04"), Text(a.User, 120), Text(a.Text, 200)))
	}
	if len(lines) > 0 {
		blocks = append(blocks, header("Approved without looking, or locked out?"))
		blocks = append(blocks, section(lines...)...)
	}
	return blocks, nil
}

// pauseName names a pause, empty where there is none.
func pauseName(s approve.Status) string {
	if !s.Paused {
		return ""
	}
	return event.HashID("pause", s.By, s.Since.UTC().String())
}
