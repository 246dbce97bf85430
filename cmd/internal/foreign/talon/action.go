package talon

import (
	"fmt"
	"strings"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// steps are those of one playbook in the making.
type steps struct {
	foreign.Steps

	im *importer
}

// action takes one action of a rule: what it says, and what the action of its
// name says besides.
func (s *steps) action(v conf.Value) {
	name := v.Get("action").Text()
	base := s.im.actions[name]
	get := func(key string) conf.Value {
		if own := v.Get(key); !own.IsZero() {
			return own
		}
		return base.Get(key)
	}
	kind := get("actionner").Text()
	if kind == "" {
		s.im.problem(v.Errorf("there is no action %q, and it has no actionner", name))
		return
	}
	failing := foreign.Entry{}
	if on, _ := get("ignore_errors").Scalar(); on == true {
		failing = foreign.Entry{Key: "on_failure", Value: "continue"}
	}
	with := func(key string) conf.Value {
		if own := v.Get("parameters").Get(key); !own.IsZero() {
			return own
		}
		return base.Get("parameters").Get(key)
	}
	if name == "" {
		name = kind
	}
	s.step(v, name, kind, with, failing)
}

func (s *steps) step(at conf.Value, name, kind string, with func(string) conf.Value, failing foreign.Entry) {
	switch kind {
	case "kubernetes:label":
		s.label(at, name, with, failing)
	case "kubernetes:cordon":
		s.Add(name, "node.cordon", foreign.Entry{Key: "target", Value: foreign.Node}, failing)
	case "kubernetes:networkpolicy", "calico:networkpolicy", "cilium:networkpolicy":
		for _, key := range []string{"allow_cidr", "allow_namespaces", "allow"} {
			if v := with(key); !v.IsZero() {
				s.missing(v, kind+" with "+key, "the quarantine denies all traffic; what is to stay open can't be said yet")
			}
		}
		if strings.HasPrefix(kind, "c") {
			s.missing(at, kind, "the quarantine is by labels and a plain NetworkPolicy")
		}
		s.Add(name, "pod.quarantine", foreign.Entry{Key: "at_end", Value: "ask"}, failing)
	case "kubernetes:terminate":
		s.missing(at, kind, "the pod is quarantined instead, which its controller replaces, and kept as evidence; at_end: ask asks whether to delete it")
		s.Add(name, "pod.quarantine", foreign.Entry{Key: "at_end", Value: "ask"}, failing)
	case "kubernetes:drain":
		s.missing(at, kind, "the node is cordoned instead: what runs there goes on")
		s.Add(name, "node.cordon", foreign.Entry{Key: "target", Value: foreign.Node}, failing)
	case "kubernetes:annotation":
		s.missing(at, kind, "an Event about the pod says it instead")
		s.Add(name, "notify.event", failing)
	default:
		s.missing(at, kind, "an Event about the pod says that it is to be done by hand; or send it to a webhook by a step notify.webhook")
		s.Add(name, "notify.event", failing, foreign.With(foreign.Entry{Key: "note", Value: "${finding.title}: Talon's " + foreign.Template(kind) + " is to be done by hand"}))
	}
}

// missing says what there is no action for.
func (s *steps) missing(at conf.Value, what, advice string) {
	problem := at.Errorf("%s: there is no such action yet: %s", what, advice)
	s.im.problem(problem)
	s.Comment(fmt.Sprintf("NOT AS IN TALON: %s (line %d): %s.", what, problem.Line, advice))
}

func (s *steps) label(at conf.Value, name string, with func(string) conf.Value, failing foreign.Entry) {
	if level := with("level").Text(); level != "" && level != "pod" {
		s.missing(with("level"), "kubernetes:label of a "+level, "labels can be set on pods alone")
		return
	}
	var labels []foreign.Entry
	for _, p := range with("labels").Pairs() {
		if p.Value.Text() == "" {
			s.missing(p.At, "taking off the label "+p.Key, "labels can be set alone")
			continue
		}
		labels = append(labels, foreign.Entry{Key: foreign.Quote(p.Key), Value: foreign.Template(p.Value.Text())})
	}
	if len(labels) == 0 {
		s.im.problem(at.Errorf("%s sets no label", name))
		return
	}
	s.Add(name, "pod.label", failing, foreign.With(foreign.Entry{Key: "labels", Value: labels}))
}

func (s *steps) webhook(at conf.Value, name string) {
	if name == "" {
		return
	}
	note := fmt.Sprintf("the config has to name a webhook %q for this notifier", name)
	s.im.note(at.Errorf("%s", note))
	s.Webhook(name, note)
}
