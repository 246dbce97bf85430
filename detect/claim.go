package detect

import (
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Claim is what rules and models have in common: which events they look at, and
// what they say of what they find.
type Claim struct {
	Title    string `yaml:"title,required"`
	Severity level  `yaml:"severity,required"`
	// Attack are techniques of MITRE ATT&CK.
	Attack []technique `yaml:"attack"`
	// Source or Sources are those whose events it looks at; with a class, only
	// at those of it. The steps of a sequence may say so themselves.
	Source  source   `yaml:"source"`
	Sources []source `yaml:"sources"`
	Class   class    `yaml:"class"`
	// When has to be true of an event, Unless must not be. Both see the
	// event's fields as names. Of a sequence they are for each step.
	When   conf.Expression `yaml:"when"`
	Unless conf.Expression `yaml:"unless"`
	// Message tells a person what happened. Of a window it sees the aggregates
	// too, of a sequence the event that completed it. A model's stands before the
	// explanation, and sees entity, object, actor and anomaly.score, anomaly.p and
	// anomaly.decision.
	Message conf.Template `yaml:"message"`
	// Mode is the most that playbooks may do because of its findings: observe,
	// ask or act. A model alone never acts: ask is its usual, and its most.
	Mode    mode  `yaml:"mode"`
	Enabled *bool `yaml:"enabled"`

	// For people alone.
	Description    string   `yaml:"description"`
	FalsePositives []string `yaml:"false_positives"`
	Response       string   `yaml:"response"`
	References     []string `yaml:"references"`
}

// check finds what is wrong with the claim; sourced says that its events may be
// of sources that it does not name itself.
func (c *Claim) check(doc *conf.Document, sourced bool) (errs []error) {
	if c.Source != "" && len(c.Sources) > 0 {
		errs = append(errs, doc.Errorf("spec.sources", "source and sources exclude each other"))
	}
	if c.Source == "" && len(c.Sources) == 0 && !sourced {
		errs = append(errs, doc.Errorf("spec", "required key %q is missing", "source"))
	}
	return append(errs, checkLabels(doc)...)
}

// disabled says that the document asks not to be used.
func (c *Claim) disabled() bool { return c.Enabled != nil && !*c.Enabled }

// techniques are those of Attack, as text.
func (c *Claim) techniques() (all []string) {
	for _, t := range c.Attack {
		all = append(all, string(t))
	}
	return all
}

// claimed fills in of a finding what its document says, whatever was found.
func (c *Claim) claimed(f *event.Finding, attack []string, labels map[string]string) {
	f.Title, f.Severity, f.Mode = c.Title, event.Severity(c.Severity), event.Mode(c.Mode)
	f.Attack = append([]string(nil), attack...)
	f.Threat, f.Likelihood, f.Impact = labels[labelThreat], labels[labelLikelihood], labels[labelImpact]
}
