package files

import (
	"cmp"
	"errors"
	"maps"
	"path/filepath"
	"slices"

	"github.com/firebreak-io/firebreak/cmd/internal/config"
	"github.com/firebreak-io/firebreak/detect"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/respond"
)

// parsers read the kinds of documents that the rules' own don't cover.
func parsers(groups []*conf.Document) map[string]func(*conf.Document) error {
	return map[string]func(*conf.Document) error{
		PlaybookKind: func(doc *conf.Document) error {
			_, err := respond.ParsePlaybook(doc, groups...)
			return err
		},
		GroupKind: respond.ParseGroup,
		config.Kind: func(doc *conf.Document) error {
			_, err := config.Parse(doc)
			return err
		},
	}
}

// kinds are the names of all kinds of documents.
func kinds() []string {
	names := slices.Collect(maps.Keys(parsers(nil)))
	for _, k := range detect.Kinds() {
		names = append(names, k.Name)
	}
	slices.Sort(names)
	return names
}

// known finds the documents of no known kind.
func known(docs []*conf.Document) error {
	var errs []error
	for _, doc := range docs {
		if !slices.Contains(kinds(), doc.Kind) {
			errs = append(errs, doc.Errorf("kind", "unknown kind %q%s", doc.Kind, conf.Suggest(doc.Kind, kinds())))
		}
	}
	return errors.Join(errs...)
}

// Check validates every document of paths: rules, playbooks and configs, and
// that the rules see what they need ([Blind]). It gives how many documents there
// are, and all problems by file and place.
func Check(paths []string) (documents int, problems []*conf.Error) {
	docs, err := conf.Read(paths...)
	set, rules := detect.NewRuleSet(docs)
	groups, more := Groups(docs)
	errs := []error{err, rules, more, twice(docs, isPlaybook), twice(docs, isGroup)}
	parse := parsers(groups)
	for _, doc := range docs {
		if parse, ok := parse[doc.Kind]; ok {
			errs = append(errs, parse(doc))
		}
	}
	errs = append(errs, checkBlind(docs, set))
	problems = conf.Problems(errors.Join(errs...))
	slices.SortStableFunc(problems, func(a, b *conf.Error) int {
		return cmp.Or(cmp.Compare(filepath.Clean(a.File), filepath.Clean(b.File)), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Msg, b.Msg))
	})
	// A config may load files that are checked too.
	return len(docs), slices.CompactFunc(problems, func(a, b *conf.Error) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Msg == b.Msg && sameFile(a.File, b.File)
	})
}

// sameFile compares paths, which may begin at different places.
func sameFile(a, b string) bool {
	x, err := filepath.Abs(a)
	y, too := filepath.Abs(b)
	return a == b || err == nil && too == nil && x == y
}
