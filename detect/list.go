package detect

import (
	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Kind{
		Name: "List",
		Doc:  "Constants that rules share: the List trusted-users is lists.trusted_users in their expressions.",
		Spec: ListSpec{},
	})
}

// maxListItems bounds a list with all that is appended to it.
const maxListItems = 20_000

// ListSpec is the spec of a List document.
type ListSpec struct {
	// Items are texts, numbers, true and false.
	Items []any `yaml:"items,required"`
	// Append adds the items to the list of that name that comes with Firebreak;
	// else they take its place.
	Append bool `yaml:"append"`

	// For people alone.
	Description string `yaml:"description"`
}

// addList puts the list of a document into a library.
func addList(lib *conf.Library, doc *conf.Document) error {
	var spec ListSpec
	if err := doc.Decode(&spec); err != nil {
		return err
	}
	for _, item := range spec.Items {
		switch item.(type) {
		case string, bool, int64, float64:
		default:
			return doc.Errorf("spec.items", "items are texts, numbers, true and false")
		}
	}
	before, _ := lib.List(conf.SharedName(doc.Metadata.Name))
	if len(before)+len(spec.Items) > maxListItems {
		return doc.Errorf("spec.items", "more than %d items", maxListItems)
	}
	if spec.Append {
		lib.AddToList(doc.Metadata.Name, spec.Items)
	} else {
		lib.SetList(doc.Metadata.Name, spec.Items)
	}
	return nil
}
