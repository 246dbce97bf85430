package detect

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/firebreak-io/firebreak/detect/rules"
	"github.com/firebreak-io/firebreak/internal/conf"
)

// layer is documents of one origin. Within a layer a name is given once; a
// document of a later layer takes the place of one of an earlier.
type layer []*conf.Document

// using copies the documents, so that they may use a library and those of
// another set another.
func (l layer) using(lib *conf.Library) layer {
	out := make(layer, len(l))
	for i, doc := range l {
		mine := *doc
		mine.Use(lib)
		out[i] = &mine
	}
	return out
}

// fill puts the lists and macros of layers into a library that they use.
func fill(lib *conf.Library, layers []layer) error {
	var errs []error
	var checks []func() error
	for _, l := range layers {
		for _, doc := range l {
			switch doc.Kind {
			case "List":
				errs = append(errs, addList(lib, doc))
			case "Macro":
				check, err := addMacro(lib, doc)
				if errs = append(errs, err); check != nil {
					checks = append(checks, check)
				}
			}
		}
	}
	for _, check := range checks {
		errs = append(errs, check())
	}
	return errors.Join(errs...)
}

// shippedShared are the lists and macros that come with Firebreak. They are
// there for every rule, whether the shipped rules are used or not.
func shippedShared() (layer, error) {
	docs, err := shippedWith([]byte("kind: List"), []byte("kind: Macro"))
	return slices.DeleteFunc(docs, func(d *conf.Document) bool { return d.Kind != "List" && d.Kind != "Macro" }), err
}

// shippedWith reads the shipped files that have one of the texts in them.
func shippedWith(texts ...[]byte) (layer, error) {
	names, err := fs.Glob(rules.FS, "*.yaml")
	if err != nil {
		return nil, err
	}
	var docs layer
	var errs []error
	for _, name := range names {
		data, err := fs.ReadFile(rules.FS, name)
		if err != nil {
			return nil, err
		}
		if conf.IsTest(name) || !slices.ContainsFunc(texts, func(text []byte) bool { return bytes.Contains(data, text) }) {
			continue
		}
		more, err := conf.Documents(path.Join("rules", name), data)
		docs, errs = append(docs, more...), append(errs, err)
	}
	return docs, errors.Join(errs...)
}

// shippedRule says whether a rule of that name comes with Firebreak.
func shippedRule(name string) bool {
	docs, err := shippedWith([]byte("name: " + name))
	return err == nil && slices.ContainsFunc(docs, func(d *conf.Document) bool { return d.Metadata.Name == name && makesDetector(d) })
}

// shippedRules are the names of all that come with Firebreak.
func shippedRules() []string {
	docs, _ := shippedWith([]byte("kind: Rule"), []byte("kind: Model")) // what is wrong with them is told where they are loaded
	var names []string
	for _, d := range docs {
		if makesDetector(d) {
			names = append(names, d.Metadata.Name)
		}
	}
	return names
}

func makesDetector(doc *conf.Document) bool { return kinds[doc.Kind].New != nil }
