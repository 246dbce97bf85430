package detect

import (
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "Macro",
		Doc:  "A condition that rules share: the Macro by-a-node is macros.by_a_node in their expressions.",
		Spec: MacroSpec{},
	})
}

// MacroSpec is the spec of a Macro document.
type MacroSpec struct {
	// When is true or false of one event; it may name lists and other macros.
	When conf.Expression `yaml:"when,required"`
	// Append says that the macro of that name that comes with Firebreak holds
	// also when this is true; else this takes its place.
	Append bool `yaml:"append"`

	// For people alone.
	Description string `yaml:"description"`
}

// addMacro puts the macro of a document into a library, and gives what is left
// to check once the library is full.
func addMacro(lib *conf.Library, doc *conf.Document) (check func() error, err error) {
	var spec MacroSpec
	if err := doc.Decode(&spec); err != nil {
		return nil, err
	}
	if spec.Append {
		lib.AddToMacro(doc.Metadata.Name, spec.When)
	} else {
		lib.SetMacro(doc.Metadata.Name, spec.When)
	}
	return func() error {
		_, err := spec.When.Compile(event.Event{}, conf.Bool, functions...)
		return err
	}, nil
}
