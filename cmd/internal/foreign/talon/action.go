package talon

import (
	"fmt"

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
	case "kubernetes:annotation":
		s.annotate(at, name, with, failing)
	case "kubernetes:cordon":
		s.Add(name, "node.cordon", foreign.Entry{Key: "target", Value: foreign.Node}, failing)
	case "kubernetes:networkpolicy", "calico:networkpolicy", "cilium:networkpolicy":
		s.isolate(name, kind, with, failing)
	case "kubernetes:terminate":
		s.terminate(at, name, with, failing)
	case "kubernetes:drain":
		s.Add(name+"-cordon", "node.cordon", foreign.Entry{Key: "target", Value: foreign.Node}, failing)
		s.Add(name+"-evidence", "pod.logs", foreign.Entry{Key: "on_failure", Value: "continue"})
		s.Add(name, "node.drain", foreign.Entry{Key: "target", Value: foreign.Node}, failing)
		s.unsaid(kind, with, "min_healthy_replicas", "ignore_daemonsets", "ignore_statefulsets", "ignore_errors", "grace_period_seconds", "wait_period", "max_wait_period")
	case "kubernetes:log":
		s.keep(at, name, "pod.logs", failing, number(with, "tail_lines", "lines"))
	case "kubernetes:download":
		s.keep(at, name, "pod.files", failing, foreign.Entry{Key: "paths", Value: texts(with("file"))})
	case "kubernetes:tcpdump":
		s.missing(at, kind, "pod.capture needs an image with tcpdump, which Talon brings along: name one of yours")
		s.keep(at, name, "pod.capture", failing, foreign.Entry{Key: "image", Value: "registry.invalid/tcpdump:name-one"}, number(with, "duration", "seconds"))
	case "kubernetes:exec":
		s.exec(at, name, with, failing)
	case "aws:lambda", "gcp:function":
		s.function(at, name, kind, failing)
	default:
		s.missing(at, kind, "an Event about the pod says that it is to be done by hand; or have a function of the config do it, by a step function.webhook")
		s.Add(name, "notify.event", failing, foreign.With(foreign.Entry{Key: "note", Value: "${finding.title}: Talon's " + foreign.Template(kind) + " is to be done by hand"}))
	}
}

// missing says what there is no action for.
func (s *steps) missing(at conf.Value, what, advice string) {
	problem := at.Errorf("%s: not as in Talon: %s", what, advice)
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
