// Package files loads rules and playbooks from paths: what comes with
// Firebreak, and what the user gives besides. A document of the user's takes
// the place of the shipped one of its name. A path is a file, or a directory
// of YAML files (see [conf.Read]).
package files

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/playbooks"
	"github.com/firebreak-io/firebreak/respond"
)

// The kinds of the documents that playbooks are made of.
const (
	PlaybookKind = respond.PlaybookKind
	GroupKind    = respond.GroupKind
)

// Rules loads the detectors of paths, over the shipped ones if those are
// wanted. The error joins all problems.
func Rules(paths []string, shipped bool) (*detect.RuleSet, error) {
	set, err := detect.LoadRules(paths...)
	if !shipped {
		return set, err
	}
	base, more := detect.Shipped()
	if err := errors.Join(err, more); err != nil {
		return nil, err
	}
	return set.Over(base)
}

// Playbooks loads the playbooks of paths, over the shipped ones if those are
// wanted, in their order, then of their names. They may use the step groups of
// the paths and the shipped ones. Rules and configs that lie beside them are
// passed over. The error joins all problems.
func Playbooks(paths []string, shipped bool) ([]*respond.Playbook, error) {
	docs, err := conf.Read(paths...)
	errs := []error{err, known(docs), twice(docs, isPlaybook), twice(docs, isGroup)}
	own, err := shippedDocs()
	books, more := parse(docs, over(groupsOf(docs), groupsOf(own)))
	errs = append(errs, err, more)
	if shipped {
		base, err := parse(own, groupsOf(own))
		errs = append(errs, err)
		for _, b := range base {
			if !slices.ContainsFunc(books, func(mine *respond.Playbook) bool { return mine.Name == b.Name }) {
				books = append(books, b)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(books, func(a, b *respond.Playbook) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Name, b.Name))
	})
	return books, nil
}

// Shipped loads the playbooks that come with Firebreak, in order of their
// files.
func Shipped() ([]*respond.Playbook, error) {
	docs, err := shippedDocs()
	books, more := parse(docs, groupsOf(docs))
	return books, errors.Join(err, more)
}

func shippedDocs() ([]*conf.Document, error) { return conf.ReadFS(playbooks.Files, "playbooks") }

// groupsOf are the step groups among documents.
func groupsOf(docs []*conf.Document) []*conf.Document {
	return slices.DeleteFunc(slices.Clone(docs), func(d *conf.Document) bool { return !isGroup(d) })
}

// over are all of the first, and those of the others whose name none of them has.
func over(first, others []*conf.Document) []*conf.Document {
	all := slices.Clone(first)
	for _, d := range others {
		if !slices.ContainsFunc(first, func(f *conf.Document) bool { return f.Metadata.Name == d.Metadata.Name }) {
			all = append(all, d)
		}
	}
	return all
}

// Groups are the step groups that the documents of some paths can use: their
// own, over those that come with Firebreak.
func Groups(docs []*conf.Document) ([]*conf.Document, error) {
	own, err := shippedDocs()
	return over(groupsOf(docs), groupsOf(own)), err
}

func parse(docs, groups []*conf.Document) ([]*respond.Playbook, error) {
	var books []*respond.Playbook
	var errs []error
	for _, doc := range docs {
		if !isPlaybook(doc) {
			continue
		}
		if doc.Metadata.Name == respond.DrillName {
			errs = append(errs, doc.Errorf("metadata.name", "%q is the name of the drills", respond.DrillName))
			continue
		}
		book, err := respond.ParsePlaybook(doc, groups...)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		books = append(books, book)
	}
	return books, errors.Join(errs...)
}

func isPlaybook(doc *conf.Document) bool { return doc.Kind == PlaybookKind }

func isGroup(doc *conf.Document) bool { return doc.Kind == GroupKind }

// twice finds the documents whose name an earlier one of them has.
func twice(docs []*conf.Document, among func(*conf.Document) bool) error {
	first := map[string]*conf.Document{}
	var errs []error
	for _, doc := range docs {
		if !among(doc) {
			continue
		}
		name := doc.Metadata.Name
		if before := first[name]; before != nil {
			errs = append(errs, doc.Errorf("metadata.name", "%q is the name of the %s at %s:%d too",
				name, before.Kind, before.File, before.Line))
			continue
		}
		first[name] = doc
	}
	return errors.Join(errs...)
}

// Readable says which paths can't be read, which is another trouble than
// something wrong in them. A directory without any YAML file counts: it is
// more likely a slip than meant.
func Readable(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := readable(path); err != nil {
			var p *fs.PathError
			if errors.As(err, &p) {
				path, err = p.Path, p.Err
			}
			errs = append(errs, fmt.Errorf("read %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func readable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return opens(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); e.IsDir() || e.Name()[0] == '.' || ext != ".yaml" && ext != ".yml" {
			continue
		}
		found = true
		if err := opens(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	if !found {
		return errors.New("no .yaml or .yml file right in this directory")
	}
	return nil
}

func opens(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	return f.Close()
}
