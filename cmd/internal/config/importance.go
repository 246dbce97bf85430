package config

import (
	"fmt"
	"path"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Asset says how important some objects are, which is part of the risk of an
// incident about them. Of several that match the most important counts, so that
// nobody can make an asset look less important by a label.
type Asset struct {
	// Namespaces are names, with * and ?, of namespaces; none is any.
	Namespaces []string `yaml:"namespaces"`
	// Labels are those that the object must have, all of them.
	Labels map[string]string `yaml:"labels"`
	// Importance is low, normal, high or critical.
	Importance event.Importance `yaml:"importance,required"`
}

func (a Asset) matches(ref event.Ref) bool {
	for k, v := range a.Labels {
		if got, ok := ref.Labels[k]; !ok || got != v {
			return false
		}
	}
	for _, pattern := range a.Namespaces {
		if ok, err := path.Match(pattern, ref.Namespace); ok && err == nil {
			return true
		}
	}
	return len(a.Namespaces) == 0
}

// Importance is what the config says of an object: normal if nothing.
func (r Respond) Importance(ref event.Ref) event.Importance {
	out := event.Importance("")
	for _, a := range r.Assets {
		if a.matches(ref) && (out == "" || a.Importance.Rank() > out.Rank()) {
			out = a.Importance
		}
	}
	if out == "" {
		return event.ImportanceNormal
	}
	return out
}

func (c *Config) checkAssets(p *problems) {
	for i, a := range c.Respond.Assets {
		at := fmt.Sprintf("spec.respond.assets[%d]", i)
		switch a.Importance {
		case event.ImportanceLow, event.ImportanceNormal, event.ImportanceHigh, event.ImportanceCritical:
		default:
			p.add(at+".importance", "%q is none of low, normal, high, critical", a.Importance)
		}
		if len(a.Namespaces)+len(a.Labels) == 0 {
			p.add(at, "names neither namespaces nor labels: everything cannot be more important than everything")
		}
		for _, pattern := range a.Namespaces {
			if _, err := path.Match(pattern, ""); err != nil {
				p.add(at+".namespaces", "%q is no pattern: %v", pattern, err)
			}
		}
		if a.Importance == event.ImportanceLow && len(a.Labels) > 0 {
			p.add(at, "who may label an object could make it look unimportant: low goes by namespaces only")
		}
	}
}
