package ingest

import (
	"github.com/firebreak-io/firebreak/internal/conf"
)

// Volume is the part of a source's configuration that says which of its events
// are stored one by one. A configuration embeds it:
//
//	Volume `yaml:",inline"`
type Volume struct {
	// Store is an expression over an event; events for which it is false are
	// counted and not stored. Without one everything is stored. An event for
	// which it can't be evaluated is stored.
	Store conf.Expression `yaml:"store" json:"store,omitzero"`
}

// volume gives the part to [Open], whatever the configuration's type.
func (v *Volume) volume() *Volume { return v }

// openThrough opens a source with a sink of its own.
func openThrough(k Kind, d Deps, config any) (Source, error) {
	if d.Enrich != nil {
		d.Sink = d.Enrich(d.Sink)
	}
	s, err := k.Open(d, config)
	if err != nil {
		return Source{}, err
	}
	for i := range s.Endpoints {
		if s.Endpoints[i].Sink == nil {
			s.Endpoints[i].Sink = d.Sink
		}
	}
	return s, nil
}
