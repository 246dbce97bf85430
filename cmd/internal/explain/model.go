package explain

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/event"
)

// model tells how a model measured an event.
func (t *writer) model(k *detect.ModelLook) {
	t.line(2, "entity %s", k.Entity)
	if !k.End.IsZero() {
		t.line(2, "interval until %s, of %d events so far", k.End.UTC().Format(time.RFC3339), k.Events)
	}
	if len(k.Features) == 0 {
		return
	}
	rule := ""
	if k.Rule {
		rule = ", a rule matched on the entity a short time ago"
	}
	t.line(2, "score %.3f, p %.3g, needed is %.3g%s", k.Score, k.P, k.Need, rule)
	t.features(k.Features, k.Counterfactual)
	if t.all {
		t.line(2, "in words: %s", k.Words)
	}
}

// features tells what each has to do with a score: those that count most first.
func (t *writer) features(all []event.Feature, otherwise []string) {
	var sum, up float64
	for _, f := range all {
		sum += f.Contribution
		up += max(0, f.Contribution)
	}
	if len(all) == 0 {
		return
	}
	t.line(2, "it is %.3g cuts of a tree from what is normal:", sum)
	for _, f := range all {
		if !t.all && f.Contribution < 0.02*up {
			continue
		}
		t.line(4, "%s", featureText(f))
	}
	if len(otherwise) > 0 {
		t.line(2, "normal, were usual: %s", strings.Join(otherwise, " and "))
	}
}

// featureText is one feature with what it contributes, what it is, what is usual
// and what the nearest normal example has.
func featureText(f event.Feature) string {
	text := fmt.Sprintf("%+.3f %s", f.Contribution, f.Name)
	switch {
	case f.Text != "":
		text += " is " + strconv.Quote(short(f.Text))
	case f.Value != nil:
		text += " is " + figure(*f.Value)
	default:
		text += " is missing"
	}
	if f.Direction != "" && f.Text == "" {
		text += ", " + f.Direction + " the usual"
	}
	switch {
	case f.Usual != "" && f.Peers:
		text += ", its peers usually " + strconv.Quote(short(f.Usual))
	case f.Usual != "":
		text += ", usually " + strconv.Quote(short(f.Usual))
	case f.Low != nil && f.High != nil:
		text += ", usually " + figure(*f.Low) + " to " + figure(*f.High)
	}
	if f.Scaled != nil {
		text += "; on the model's scale " + figure(*f.Scaled)
		if f.Nearest != nil {
			text += ", and " + figure(*f.Nearest) + " in the nearest normal example"
		}
	}
	return text
}

func figure(v float64) string {
	if a := math.Abs(v); a >= 1000 && a < 1e9 {
		return strconv.FormatFloat(math.Round(v), 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// modelView is how a model measured an event, as JSON.
type modelView struct {
	Entity         string          `json:"entity"`
	End            time.Time       `json:"end,omitzero"`
	Events         uint64          `json:"events,omitempty"`
	Missing        int             `json:"missing"`
	MissingTime    string          `json:"missing_time"`
	Score          float64         `json:"score"`
	P              float64         `json:"p"`
	Need           float64         `json:"need_p"`
	Rule           bool            `json:"rule,omitempty"`
	Held           bool            `json:"held,omitempty"`
	Features       []event.Feature `json:"features,omitempty"`
	Counterfactual []string        `json:"counterfactual,omitempty"`
	Words          string          `json:"words,omitempty"`
}

func viewModel(k *detect.ModelLook) *modelView {
	if k == nil {
		return nil
	}
	return &modelView{
		k.Entity, k.End, k.Events, k.Missing, k.MissingTime.String(), k.Score, k.P, k.Need, k.Rule, k.Held, k.Features, k.Counterfactual, k.Words,
	}
}
