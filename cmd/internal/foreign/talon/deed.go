package talon

import (
	"fmt"
	"strconv"

	"github.com/firebreak-io/firebreak/cmd/internal/foreign"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// terminate keeps the pod's logs first, as nothing is destroyed before evidence.
func (s *steps) terminate(at conf.Value, name string, with func(string) conf.Value, failing foreign.Entry) {
	s.Add(name+"-evidence", "pod.logs", foreign.Entry{Key: "on_failure", Value: "continue"})
	more := []foreign.Entry{failing}
	if grace := number(with, "grace_period_seconds", "grace"); grace.Key != "" {
		more = append(more, foreign.With(grace))
	}
	s.Add(name, "pod.delete", more...)
	s.unsaid("kubernetes:terminate", with, "min_healthy_replicas", "ignore_daemonsets", "ignore_statefulsets", "ignore_standalone_pods")
	s.im.note(at.Errorf("kubernetes:terminate deletes the evidence with the pod: pod.quarantine keeps both, and its controller makes another pod"))
}

// unsaid notes parameters that the guards take the place of.
func (s *steps) unsaid(kind string, with func(string) conf.Value, keys ...string) {
	for _, key := range keys {
		if v := with(key); !v.IsZero() {
			s.im.note(v.Errorf("%s with %s: left out; respond.guards of the config bound how much of what may be taken away", kind, key))
		}
	}
}

// isolate cuts the pod off, but for what Talon lets through.
func (s *steps) isolate(at conf.Value, name, kind string, failing foreign.Entry) {
	cidrs, namespaces := s.texts("allow_cidr"), s.texts("allow_namespaces")
	cidrs = append(cidrs, s.texts("allow")...) // as older rules say it
	if len(cidrs)+len(namespaces) == 0 {
		s.im.note(at.Errorf("%s keeps all pods of the workload from sending alone: pod.quarantine cuts this pod off both ways", kind))
		s.Add(name, "pod.quarantine", foreign.Entry{Key: "at_end", Value: "ask"}, failing)
		return
	}
	s.im.note(at.Errorf("%s with what may pass is for all pods of the namespace: say under pods which labels it is for", kind))
	params := []foreign.Entry{}
	if len(cidrs) > 0 {
		params = append(params, foreign.Entry{Key: "addresses", Value: cidrs})
	}
	if len(namespaces) > 0 {
		params = append(params, foreign.Entry{Key: "namespaces", Value: namespaces})
	}
	s.Add(name, "network.allow", foreign.Entry{Key: "target", Value: foreign.Expression("namespace(target.namespace)")}, foreign.Entry{Key: "at_end", Value: "ask"}, failing, foreign.With(params...))
}

// keep adds a step that keeps evidence.
func (s *steps) keep(at conf.Value, name, action string, failing foreign.Entry, params ...foreign.Entry) {
	var said []foreign.Entry
	for _, p := range params {
		if list, ok := p.Value.([]string); p.Key != "" && (!ok || len(list) > 0) {
			said = append(said, p)
		}
	}
	more := []foreign.Entry{failing}
	if len(said) > 0 {
		more = append(more, foreign.With(said...))
	}
	s.Add(name, action, more...)
	s.im.note(at.Errorf("%s keeps it in the store of the config (respond.evidence), whatever output Talon has", action))
}

// exec runs a command. Talon's goes through a shell with the alert's fields in it;
// ours is a list of arguments.
func (s *steps) exec(at conf.Value, name, command, shell string, failing foreign.Entry) {
	if command == "" {
		s.im.problem(at.Errorf("%s names no command and no script", name))
		return
	}
	if shell == "" {
		shell = "/bin/sh"
	}
	s.im.note(at.Errorf("variables of the alert are not put into the command: whoever writes to a pod could run anything by them"))
	s.Add(name+"-evidence", "pod.logs", foreign.Entry{Key: "on_failure", Value: "continue"})
	s.Add(name, "pod.exec", failing, foreign.With(foreign.Entry{Key: "command", Value: []string{shell, "-c", foreign.Template(command)}}))
}

// function calls a function of the config in place of a cloud's.
func (s *steps) function(at conf.Value, name, kind string, failing foreign.Entry) {
	to := foreign.Name(name)
	s.im.note(at.Errorf("%s: the config has to name a function %q by its https URL (functions)", kind, to))
	s.Comment(fmt.Sprintf("Step %s: the config has to name a function %q for %s.", name, to, kind))
	s.Add(name, "function.webhook", failing, foreign.With(foreign.Entry{Key: "function", Value: to}))
}

func (s *steps) annotate(at conf.Value, name string, with func(string) conf.Value, failing foreign.Entry) {
	if level := with("level").Text(); level != "" && level != "pod" {
		s.missing(with("level"), "kubernetes:annotation of a "+level, "annotations can be set on pods alone")
		return
	}
	var list []foreign.Entry
	for _, p := range s.pairs("annotations") {
		if p.Value.Text() == "" {
			s.missing(p.At, "taking off the annotation "+p.Key, "annotations can be set alone")
			continue
		}
		list = append(list, foreign.Entry{Key: foreign.Quote(p.Key), Value: foreign.Template(p.Value.Text())})
	}
	if len(list) == 0 {
		s.im.problem(at.Errorf("%s sets no annotation", name))
		return
	}
	s.Add(name, "pod.annotate", failing, foreign.With(foreign.Entry{Key: "annotations", Value: list}))
}

// number is a parameter that is a whole number, under our name; without it the
// entry has no key.
func number(with func(string) conf.Value, key, ours string) foreign.Entry {
	if n, err := strconv.Atoi(with(key).Text()); err == nil && n >= 0 {
		return foreign.Entry{Key: ours, Value: n}
	}
	return foreign.Entry{}
}

// texts are those of a list, or of one text.
func texts(v conf.Value) []string {
	var all []string
	for _, item := range v.Items() {
		if text := item.Text(); text != "" {
			all = append(all, foreign.Template(text))
		}
	}
	return all
}

// notify tells by a notifier.
func (s *steps) notify(at conf.Value, name string) {
	switch name {
	case "":
	case "k8sevents":
		s.Add("event", "notify.event", foreign.Entry{Key: "on_failure", Value: "continue"})
	case "slack":
		s.im.note(at.Errorf("slack: no step is needed: once the config has slack, each incident has its message there"))
		s.Comment("Notifier slack: each incident has its message there once the config has slack.")
	case "smtp":
		note := "the config has to name a receiver of kind email \"smtp\" (notify.receivers)"
		s.im.note(at.Errorf("%s", note))
		s.Comment("Step smtp: " + note + ".")
		s.Add(name, "notify.page", foreign.Entry{Key: "on_failure", Value: "continue"}, foreign.With(foreign.Entry{Key: "to", Value: []string{name}}))
	default:
		note := fmt.Sprintf("the config has to name a webhook %q for this notifier", name)
		s.im.note(at.Errorf("%s", note))
		s.Webhook(name, note)
	}
}
