package talon

import (
	"fmt"
	"slices"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// steps are those of one playbook in the making.
type steps struct {
	foreign.Steps

	im *importer
	// said are the parameters of the action in hand: the rule's own, and those of
	// the actions of its name, the last one last.
	said []conf.Value
	// ended says that an action was the last that Talon does.
	ended bool
}

// last is what the last of some says of a key.
func last(of []conf.Value, key string) (v conf.Value) {
	for _, one := range of {
		if said := one.Get(key); !said.IsZero() {
			v = said
		}
	}
	return v
}

// action takes one action of a rule: what it says, and what the actions of its
// name say besides, in whatever file.
func (s *steps) action(v conf.Value) {
	name := v.Get("action").Text()
	base := s.im.actions[name]
	if s.ended {
		s.im.note(v.Errorf("%s is left out: Talon does nothing after an action that does not say continue: true", name))
		return
	}
	get := func(key string) conf.Value {
		if own := v.Get(key); !own.IsZero() {
			return own
		}
		return last(base, key)
	}
	kind := get("actionner").Text()
	if kind == "" {
		s.im.problem(v.Errorf("there is no action %q, and it has no actionner", name))
		return
	}
	failing := foreign.Entry{}
	if get("ignore_errors").Text() == "true" {
		failing = foreign.Entry{Key: "on_failure", Value: "continue"}
	}
	s.said = []conf.Value{v.Get("parameters")}
	for _, b := range base {
		s.said = append(s.said, b.Get("parameters"))
	}
	with := func(key string) conf.Value {
		if own := s.said[0].Get(key); !own.IsZero() {
			return own
		}
		return last(s.said[1:], key)
	}
	if name == "" {
		name = kind
	}
	s.step(v, name, kind, with, failing)
	goes := get("continue").Text()
	s.ended = goes == "false" || goes != "true" && slices.Contains(endings, kind)
}

// endings are the actionners after which Talon does nothing more, unless told to.
var endings = []string{"kubernetes:terminate", "kubernetes:delete", "kubernetes:tcpdump", "kubernetes:sysdig"}

// pairs are those of all mappings under a parameter, which Talon joins.
func (s *steps) pairs(key string) (all []conf.Pair) {
	for _, said := range s.said {
		for _, p := range said.Get(key).Pairs() {
			all = slices.DeleteFunc(all, func(o conf.Pair) bool { return o.Key == p.Key })
			all = append(all, p)
		}
	}
	return all
}

// texts are those of all lists under a parameter, which Talon joins.
func (s *steps) texts(key string) (all []string) {
	for _, said := range s.said {
		all = append(all, texts(said.Get(key))...)
	}
	return all
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
		s.isolate(at, name, kind, failing)
	case "kubernetes:terminate":
		s.terminate(at, name, with, failing)
	case "kubernetes:drain":
		s.Add(name+"-cordon", "node.cordon", foreign.Entry{Key: "target", Value: foreign.Node}, failing)
		s.Add(name+"-evidence", "pod.logs", foreign.Entry{Key: "on_failure", Value: "continue"})
		s.Add(name, "node.drain", foreign.Entry{Key: "target", Value: foreign.Node}, failing)
		s.unsaid(kind, with, "min_healthy_replicas", "ignore_daemonsets", "ignore_statefulsets", "ignore_errors", "max_wait_period", "wait_period_excluded_namespaces", "force")
	case "kubernetes:log":
		s.keep(at, name, "pod.logs", failing, number(with, "tail_lines", "lines"))
	case "kubernetes:download":
		s.keep(at, name, "pod.files", failing, foreign.Entry{Key: "paths", Value: texts(with("file"))})
	case "kubernetes:tcpdump":
		image := with("image").Text()
		if image == "" {
			s.missing(at, kind, "pod.capture needs an image with tcpdump, which Talon brings along: name one of yours")
			image = "registry.invalid/tcpdump:name-one"
		}
		s.keep(at, name, "pod.capture", failing, foreign.Entry{Key: "image", Value: foreign.Template(image)}, number(with, "duration", "seconds"), number(with, "snaplen", "snap"))
	case "kubernetes:exec":
		s.exec(at, name, with("command").Text(), with("shell").Text(), failing)
	case "kubernetes:script":
		if with("script").Text() == "" && with("file").Text() != "" {
			s.missing(with("file"), kind, "the script lies in a file of Talon's: write it under script")
			break
		}
		s.exec(at, name, with("script").Text(), with("shell").Text(), failing)
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
	kind, about := "pod.label", foreign.Entry{}
	switch level := with("level").Text(); level {
	case "", "pod":
	case "node":
		kind, about = "node.label", foreign.Entry{Key: "target", Value: foreign.Node}
	default:
		s.missing(with("level"), "kubernetes:label of a "+level, "labels can be set on pods and nodes alone")
		return
	}
	var labels []foreign.Entry
	for _, p := range s.pairs("labels") {
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
	s.Add(name, kind, about, failing, foreign.With(foreign.Entry{Key: "labels", Value: labels}))
}
