// Package foreign holds what the readers of other projects' rules share: the
// documents that they make of them, and how those are written.
package foreign

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

// Result is what came of an import.
type Result struct {
	Documents []Document
	// Problems are the places that could not be said in a rule of ours. What
	// they stand in was left out.
	Problems []*conf.Error
	// Notes are what is said otherwise than it was, or needs a look; nothing was
	// left out for them.
	Notes []*conf.Error
	// Read is how many rules there were.
	Read int
}

// Document is a document that an import made.
type Document struct {
	Kind, Name string
	// Comments are lines that stand above the document.
	Comments []string
	// Labels and Annotations are in the metadata.
	Labels, Annotations map[string]string
	Spec                []Entry
	// From is the file that it was read in, Line where it begins there.
	From string
	Line int
}

// Entry is one key of a mapping. Its value is text, a bool, an int, a []string, an
// [Expression], []Entry or [][]Entry; an empty one is not written.
type Entry struct {
	Key   string
	Value any
}

// Nothing is written as an empty list.
type Nothing struct{}

// Expression is text that is written as a block, with nothing to be escaped.
type Expression string

// YAML is the document as it stands in a file, its first line the header's.
func (d Document) YAML() string {
	var b strings.Builder
	if d.From != "" {
		fmt.Fprintf(&b, "# Imported from %s:%d.\n", oneLine(d.From), d.Line)
	}
	for _, line := range d.Comments {
		fmt.Fprintf(&b, "# %s\n", oneLine(line))
	}
	fmt.Fprintf(&b, "apiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n", conf.APIVersion, d.Kind, d.Name)
	for _, part := range []struct {
		key    string
		values map[string]string
	}{{"labels", d.Labels}, {"annotations", d.Annotations}} {
		var entries []Entry
		for k, v := range part.values {
			entries = append(entries, Entry{Quote(k), v})
		}
		slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
		write(&b, 2, Entry{part.key, entries})
	}
	write(&b, 0, Entry{"spec", d.Spec})
	return b.String()
}

func write(b *strings.Builder, indent int, e Entry) {
	space := strings.Repeat(" ", indent)
	switch v := e.Value.(type) {
	case string:
		if v != "" {
			fmt.Fprintf(b, "%s%s: %s\n", space, e.Key, Quote(v))
		}
	case Nothing:
		fmt.Fprintf(b, "%s%s: []\n", space, e.Key)
	case int:
		fmt.Fprintf(b, "%s%s: %d\n", space, e.Key, v)
	case bool:
		fmt.Fprintf(b, "%s%s: %t\n", space, e.Key, v)
	case Expression:
		if v != "" {
			fmt.Fprintf(b, "%s%s: |-\n%s  %s\n", space, e.Key, space, strings.ReplaceAll(string(v), "\n", "\n"+space+"  "))
		}
	case []string:
		if len(v) > 0 {
			fmt.Fprintf(b, "%s%s:\n", space, e.Key)
		}
		for _, item := range v {
			fmt.Fprintf(b, "%s  - %s\n", space, Quote(item))
		}
	case []Entry:
		if len(v) > 0 {
			fmt.Fprintf(b, "%s%s:\n", space, e.Key)
		}
		for _, entry := range v {
			write(b, indent+2, entry)
		}
	case [][]Entry:
		fmt.Fprintf(b, "%s%s:\n", space, e.Key)
		for _, item := range v {
			var inner strings.Builder
			for _, entry := range item {
				write(&inner, indent+4, entry)
			}
			b.WriteString(space + "  - " + strings.TrimPrefix(inner.String(), space+"    "))
		}
	}
}

var plain = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9_./]*$`)

// Quote writes text, a key or a value, so that YAML reads it back, and nothing
// else.
func Quote(s string) string {
	if plain.MatchString(s) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s)) {
		return s
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // text always is
	return strings.TrimSuffix(b.String(), "\n")
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Literal writes text as a constant of an expression.
func Literal(s string) string { return strconv.Quote(s) }

// Literals writes a list of constant texts.
func Literals(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = Literal(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Template writes text of which nothing is an expression.
func Template(s string) string { return strings.ReplaceAll(s, "${", "$${") }

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// Name makes the name of a document of a title.
func Name(title string) string {
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if len(name) > 63 {
		name = strings.TrimRight(name[:63], "-")
	}
	return name
}

// Names gives each title a name of its own.
type Names map[string]int

// Unique is [Name], with a number if it was given before.
func (n Names) Unique(title string) string {
	name := Name(title)
	if name == "" {
		name = "unnamed"
	}
	n[name]++
	if n[name] == 1 {
		return name
	}
	more := fmt.Sprintf("-%d", n[name])
	return n.Unique(name[:min(len(name), 63-len(more))] + more)
}
