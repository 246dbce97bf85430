package policy

import (
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// steps are those of one playbook in the making.
type steps struct {
	foreign.Steps

	im *importer
}

// kinds are the actions of the format.
func kinds() []string {
	return []string{"rate_limit", "additional_auth", "ip_block", "alert", "pod_quarantine", "node_isolation", "incident_response"}
}

// read takes one action: its name alone, a mapping of its name to its
// parameters, or a mapping with type (or action, name) and the parameters
// beside it, or under parameters.
func (s *steps) read(v conf.Value) {
	if !v.IsMapping() {
		s.action(v, v.Text(), conf.Value{})
		return
	}
	for _, key := range []string{"type", "action", "name"} {
		if name := v.Get(key).Text(); name != "" {
			with := v
			for _, under := range []string{"parameters", "params", "with", "config"} {
				if p := v.Get(under); p.IsMapping() {
					with = p
				}
			}
			s.action(v, name, with)
			return
		}
	}
	for _, p := range v.Pairs() {
		if value, ok := p.Value.Scalar(); ok && value == false {
			continue
		}
		s.action(p.At, p.Key, p.Value)
	}
}

// missing says what could not be made an action of, and what stands in its place.
func (s *steps) missing(at conf.Value, wanted, label, value, advice string) {
	problem := at.Errorf("%s: the pods get the label %s instead, and an Event says so: %s", wanted, label, advice)
	s.im.problem(problem)
	s.Comment(sprint("NOT DONE: %s (line %d). %s", wanted, problem.Line, advice))
	s.Add("mark", "pod.label", foreign.Entry{Key: "for_each", Value: foreign.Pods}, foreign.Entry{Key: "on_failure", Value: "continue"},
		foreign.With(foreign.Entry{Key: "labels", Value: []foreign.Entry{{Key: foreign.Quote(label), Value: value}}}))
	s.tell("PolicyAction", "${finding.title}: the policy wants "+wanted+", which has to be done by hand")
}

// tell writes an Event about each pod.
func (s *steps) tell(reason, note string) {
	s.Add("tell", "notify.event", foreign.Entry{Key: "for_each", Value: foreign.Pods}, foreign.Entry{Key: "on_failure", Value: "continue"},
		foreign.With(foreign.Entry{Key: "reason", Value: reason}, foreign.Entry{Key: "note", Value: note}))
}

func (s *steps) action(at conf.Value, name string, with conf.Value) {
	switch name {
	case "pod_quarantine":
		more := []foreign.Entry{{Key: "for_each", Value: foreign.Pods}, {Key: "at_end", Value: "ask"}}
		more = append(more, s.during(with, "")...)
		s.Add("quarantine", "pod.quarantine", more...)
	case "node_isolation":
		s.isolate(at, with)
	case "alert":
		s.alert(at, with)
	case "incident_response":
		priority := label(with.Get("priority").Text())
		s.tell("IncidentResponse", sprint("${finding.title}: incident response of priority %s, incident ${incident.id}", foreign.Template(priority)))
		s.webhook(at, "incident-response")
	case "rate_limit":
		s.rateLimit(at, with)
	case "additional_auth":
		s.additionalAuth(at, with)
	case "ip_block":
		s.block(at, with)
	default:
		s.im.problem(at.Errorf("unknown action %q%s", name, conf.Suggest(name, kinds())))
	}
}

// isolate cordons and taints the node in one step, and quarantines what runs
// there where the policy asks for it.
func (s *steps) isolate(at, with conf.Value) {
	more := append([]foreign.Entry{{Key: "target", Value: foreign.Node}, {Key: "at_end", Value: "ask"}}, s.during(with, "")...)
	if with.Get("quarantine").Text() == "true" {
		more = append(more, foreign.With(foreign.Entry{Key: "quarantine", Value: true}))
	} else {
		s.im.note(at.Errorf("node_isolation is imported as node.isolate, a cordon and a taint: no new pods go there, and those that run there go on; quarantine: true cuts those off too"))
		s.Comment("node_isolation is node.isolate: those pods that run on the node go on. With quarantine: true they are cut off too.")
	}
	s.Add("isolate", "node.isolate", more...)
	s.enable(at, "node.isolate")
}

// alert tells in an Event, and pages the receivers that its channels name. Slack
// shows each incident by itself.
func (s *steps) alert(at, with conf.Value) {
	severity := label(with.Get("severity").Text())
	text := sprint("${finding.title}: alert of severity %s", foreign.Template(severity))
	s.tell("SecurityAlert", text)
	var channels []string
	for _, c := range with.Get("channels").Items() {
		name := foreign.Name(c.Text())
		switch {
		case name == "slack":
			s.im.note(c.Errorf("slack: no step is needed: once the config has slack, each incident has its message there, by priority and namespace"))
			s.Comment("Channel slack: each incident has its message there once the config has slack.")
		case name != "" && !slices.Contains(channels, name):
			channels = append(channels, name)
		}
	}
	if len(channels) == 0 {
		return
	}
	note := sprint("the config has to name what this pages under notify.receivers: %s", strings.Join(channels, ", "))
	s.im.note(at.Errorf("%s", note))
	s.Comment(note)
	s.Add("page", "notify.page", foreign.Entry{Key: "on_failure", Value: "continue"},
		foreign.With(foreign.Entry{Key: "to", Value: channels}, foreign.Entry{Key: "note", Value: text}))
}

func (s *steps) webhook(at conf.Value, name string) {
	note := sprint("the config has to name a webhook %q for it", name)
	s.im.note(at.Errorf("%s", note))
	s.Webhook(name, note)
}

// label makes a label's value of text: at most 63 of letters, digits, -, _ and .
func label(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r)) && b.Len() < 63 {
			b.WriteRune(r)
		}
	}
	if out := strings.Trim(b.String(), "-_."); out != "" {
		return out
	}
	return "unsaid"
}
