package detect

import (
	"maps"
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// ModelSpec is the spec of a Model document: what is measured of each entity, of
// the events that the claim is about, and how much of what is unlike the usual
// is told.
type ModelSpec struct {
	Claim `yaml:",inline"`
	// Entity is who or what is compared with its own past, Peers those that it
	// is compared with beside: all entities of the same values.
	Entity []conf.Expression `yaml:"entity,required"`
	Peers  []conf.Expression `yaml:"peers"`
	// Every is the interval that is measured. Without it each event is.
	Every conf.Duration `yaml:"every"`
	// Silent has entities measured of which nothing comes.
	Silent *SilentSpec `yaml:"silent"`
	// Features are what is measured, as expressions by name. Of an interval:
	// count(condition), rate(condition), ratio(condition, of), sum(x), avg(x),
	// min(x), max(x), quantile(x, 0.99), distinct(x, …), entropy(x, …). Against
	// what the entity and its peers had: surprisal(x, …) in bits, novelty(x, …)
	// from 0 to 3, interarrival(), and rel(number) and jump(number), in
	// deviations from what is usual at that hour and from the last one. Over some
	// thirty intervals: trail(number), their sum, the older each the less.
	Features map[string]conf.Expression `yaml:"features,required"`
	Forest   ForestSpec                 `yaml:"forest"`
	WarmUp   WarmUpSpec                 `yaml:"warm_up"`
	Budget   BudgetSpec                 `yaml:"budget"`
	// Rollout opens a time of grace for an entity with a new version.
	Rollout *RolloutSpec `yaml:"rollout"`
	// Priors are what every cluster has, so that it is known from the start.
	Priors []PriorSpec `yaml:"priors"`
	// Quarantine is how long what was found is not learned when nobody says
	// whether it was right: a day if it is left open.
	Quarantine conf.Duration `yaml:"quarantine"`
	// Quiet is how long an entity that was found is not found again, but
	// counted: an hour if it is left open.
	Quiet conf.Duration `yaml:"quiet"`
}

// ForestSpec is the isolation forest that scores.
type ForestSpec struct {
	// Trees are 100 and Sample 256 if they are left open.
	Trees  int `yaml:"trees"`
	Sample int `yaml:"sample"`
	// Reservoir is how many measurements it learns from, 2,048 if left open,
	// and Memory how fast they are forgotten, 7 days.
	Reservoir int           `yaml:"reservoir"`
	Memory    conf.Duration `yaml:"memory"`
	// Share is the part of the reservoir that one entity may have, 0.02 if left
	// open.
	Share float64 `yaml:"share"`
	// Beyond is the share of cuts outside of all that was seen, 0.5 if left
	// open.
	Beyond float64 `yaml:"beyond"`
	// Anchors says when a tenth of the trees begins to stand still until somebody
	// approves the model: when it is warm, which is the usual, when the reservoir
	// is full, or only when it was approved.
	Anchors anchoring `yaml:"anchors"`
}

// SilentSpec has an entity measured as if an interval of nothing had come of it:
// one that was there in nine of ten intervals, while something comes of others.
// When nothing comes of any, it is likely that their source is silent: then none
// is found, and the model's state, its metrics and the process' health say so.
type SilentSpec struct {
	// After is how long nothing has to come, For how long it is measured then, 30
	// minutes if left open: what is silent for longer is gone.
	After conf.Duration `yaml:"after,required"`
	For   conf.Duration `yaml:"for"`
}

// WarmUpSpec is what has to be seen before anything is found: both.
type WarmUpSpec struct {
	// Events are measurements, 512 if left open. The forest learns none of the first
	// half, and has to learn as many as make a tree.
	Events int `yaml:"events"`
	// For is since the first one, an hour if left open.
	For conf.Duration `yaml:"for"`
}

// unlearned is how many of the first measurements the forest does not learn: they
// were measured against hardly any past.
func (w WarmUpSpec) unlearned() int { return w.Events / 2 }

// BudgetSpec is how much is found: alerts_per_day (5, if all is left open), a
// probability of false alarms p, or a contamination; and what has to hold
// beside, or alone.
type BudgetSpec struct {
	AlertsPerDay  float64 `yaml:"alerts_per_day"`
	P             float64 `yaml:"p"`
	Contamination float64 `yaml:"contamination"`
	// Threshold is a condition on anomaly.score, anomaly.p and
	// anomaly.decision. Without a budget it decides alone.
	Threshold conf.Expression `yaml:"threshold"`
	// WithRules is how many times as large a p will do when a rule matched on
	// the entity in the last ten minutes: 10 if left open, 1 for no difference.
	WithRules float64 `yaml:"with_rules"`
}

// RolloutSpec is when an entity is another one than before.
type RolloutSpec struct {
	// On is its version, an image's digest.
	On conf.Expression `yaml:"on,required"`
	// For is how long its own past counts less: what is otherwise is excused as far
	// as new versions of the model's entities go, and what is twice as far is not. How
	// far they go is learned; nothing is known of the first.
	For conf.Duration `yaml:"for,required"`
	// Except are features that a new version is no reason for, as failed log-ins and
	// how much is sent: they are held against the entity's past all the same.
	Except []string `yaml:"except"`
}

// PriorSpec are values of a feature of surprisal or novelty that peers have
// before anything was seen.
type PriorSpec struct {
	// Peers are the values of the model's peers.
	Peers []string `yaml:"peers"`
	// Feature names the feature, Values what it measures: each a list of the
	// values of its arguments.
	Feature string     `yaml:"feature,required"`
	Values  [][]string `yaml:"values,required"`
	// Times is as how often each counts, 20 if left open.
	Times float64 `yaml:"times"`
}

const (
	maxFeatures   = 64
	maxModelSpan  = 7 * 24 * time.Hour
	maxQuarantine = 90 * 24 * time.Hour
)

// names are those of the features, in their order.
func (s *ModelSpec) names() []string { return slices.Sorted(maps.Keys(s.Features)) }

// usually fills in what is left open.
func (s *ModelSpec) usually() {
	or := func(d *conf.Duration, usual time.Duration) {
		if *d == 0 {
			*d = conf.Duration(usual)
		}
	}
	or(&s.WarmUp.For, time.Hour)
	or(&s.Quarantine, dayLong)
	or(&s.Quiet, time.Hour)
	or(&s.Forest.Memory, maxModelSpan)
	if s.Silent != nil {
		or(&s.Silent.For, 30*time.Minute)
	}
	if s.Forest.Anchors == "" {
		s.Forest.Anchors = anchorWarm
	}
	if s.WarmUp.Events == 0 {
		s.WarmUp.Events = 512
	}
	if b := &s.Budget; b.AlertsPerDay == 0 && b.P == 0 && b.Contamination == 0 && b.Threshold.IsZero() {
		b.AlertsPerDay = 5
	}
	if s.Mode == "" {
		s.Mode = "ask"
	}
}

// anchoring is when anchors begin to stand still.
type anchoring string

const (
	anchorWarm     = "warm"
	anchorFull     = "full"
	anchorApproved = "approved"
)

func (a *anchoring) UnmarshalText(text []byte) error {
	v, err := oneOf("anchors", text, anchorWarm, anchorFull, anchorApproved)
	*a = anchoring(v)
	return err
}
