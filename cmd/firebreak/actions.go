package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/playbooks"
	"github.com/firebreak-io/firebreak/respond/action"
)

// actionLine is what is said of one action.
type actionLine struct {
	Name    string   `json:"name"`
	Doc     string   `json:"doc"`
	Class   string   `json:"class"`
	Targets []string `json:"targets,omitempty"`
	// Undone says that the step holds, and that its end gives back what was there.
	Undone bool `json:"undone"`
	// OptIn says that its rights come only with a playbook that uses it.
	OptIn      bool            `json:"opt_in,omitempty"`
	Parameters []parameterLine `json:"parameters,omitempty"`
	// Needs are the rights that it takes, Helps those without which it does less.
	Needs []string `json:"needs,omitempty"`
	Helps []string `json:"helps,omitempty"`
	// Example is a step of a playbook, in YAML.
	Example string `json:"example"`
}

// parameterLine is one parameter of an action.
type parameterLine struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default any    `json:"default,omitempty"`
	Doc     string `json:"doc,omitempty"`
}

func newActions() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "actions [NAME]", Short: "List what a step of a playbook can do; of one action its parameters, rights and an example", Args: usage(cobra.MaximumNArgs(1)),
		Example: "  firebreak actions\n  firebreak actions pod.quarantine\n  firebreak actions -o json",
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.SetFlagErrorFunc(misused)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		all, err := actionLines()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return print(cmd.OutOrStdout(), output, all, func(w io.Writer) { writeActions(w, all) })
		}
		at := slices.IndexFunc(all, func(a actionLine) bool { return a.Name == args[0] })
		if at < 0 {
			var names []string
			for _, a := range all {
				names = append(names, a.Name)
			}
			return exit{2, fmt.Errorf("there is no action %q%s", args[0], conf.Suggest(args[0], names))}
		}
		return print(cmd.OutOrStdout(), output, all[at], func(w io.Writer) { writeAction(w, all[at]) })
	}
	return cmd
}

// schemaOf is what is read of the schema of a parameter.
type schemaOf struct {
	Type        any                 `json:"type"`
	Enum        []string            `json:"enum"`
	Items       *schemaOf           `json:"items"`
	Description string              `json:"description"`
	Properties  map[string]schemaOf `json:"properties"`
	Additional  json.RawMessage     `json:"additionalProperties"`
}

// kind is the type in a word or two.
func (s schemaOf) kind() string {
	switch t := s.Type.(type) {
	case nil:
		if len(s.Enum) > 0 {
			return "one of " + strings.Join(s.Enum, ", ")
		}
		return "any"
	case []any:
		return "text"
	case string:
		switch {
		case t == "array" && s.Items != nil:
			return "list of " + s.Items.kind()
		case t == "array":
			return "list"
		case t == "object" && len(s.Properties) == 0:
			return "map"
		case t == "string":
			return "text"
		}
		return t
	}
	return "any"
}

// actionLines are the catalogue, with the words that stand in the code.
func actionLines() ([]actionLine, error) {
	var schemas map[string]schemaOf
	if err := json.Unmarshal(playbooks.Actions, &schemas); err != nil {
		return nil, fmt.Errorf("read the schema of actions: %w", err)
	}
	var all []actionLine
	for _, k := range action.Kinds() {
		defaults, err := values(k.Config())
		if err != nil {
			return nil, fmt.Errorf("defaults of %s: %w", k.Name, err)
		}
		one := actionLine{
			Name: k.Name, Doc: k.Doc, Class: string(k.Class), Targets: k.Targets, Undone: k.Reversible, OptIn: k.OptIn,
			Parameters: parameterLines("", schemas[k.Name], defaults), Needs: rights(k.Needs), Helps: rights(k.Helps),
		}
		if one.Example, err = exampleOf(k, defaults); err != nil {
			return nil, fmt.Errorf("example of %s: %w", k.Name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// values are parameters by their names.
func values(config any) (all map[string]any, err error) {
	data, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for name, v := range all {
		if n, ok := v.(float64); ok && n == math.Trunc(n) {
			all[name] = int64(n)
		}
	}
	return all, nil
}

// parameterLines are those of an object, with what is inside of it behind a dot.
func parameterLines(in string, s schemaOf, defaults map[string]any) []parameterLine {
	var all []parameterLine
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		all = append(all, parameterLine{Name: in + name, Type: p.kind(), Default: defaultOf(defaults[name]), Doc: called(name, p.Description)})
		inner := p
		if p.Items != nil {
			inner = *p.Items
		}
		some, _ := defaults[name].(map[string]any)
		all = append(all, parameterLines(in+name+".", inner, some)...)
	}
	return all
}

// called is what is said of a parameter, by the name that a playbook gives it.
func called(name, doc string) string {
	first, rest, _ := strings.Cut(doc, " ")
	if strings.EqualFold(first, strings.ReplaceAll(name, "_", "")) {
		return name + " " + rest
	}
	return doc
}

// defaultOf is a default that says something; what is empty says nothing.
func defaultOf(v any) any {
	switch x := v.(type) {
	case string:
		if x == "" {
			return nil
		}
	case []any:
		if len(x) == 0 {
			return nil
		}
	case map[string]any:
		return nil // what is inside of it has its own
	}
	return v
}

// rights are permissions in words.
func rights(list []action.Permission) []string {
	var all []string
	for _, p := range list {
		name := p.Resource
		if p.Group != "" {
			name += "." + p.Group
		}
		line := strings.Join(p.Verbs, ", ") + " " + name
		if len(p.Names) > 0 {
			line += " called " + strings.Join(p.Names, ", ")
		}
		if p.Own {
			line += " in Firebreak's own namespace"
		}
		all = append(all, line)
	}
	return all
}

// exampleOf is a step, with one before it where it takes one, and with the parameters of the kind's example that are not the
// defaults.
func exampleOf(k action.Kind, defaults map[string]any) (string, error) {
	var b strings.Builder
	if k.Destroys { // what could be evidence is kept before
		b.WriteString("- name: logs\n  action: pod.logs\n")
	}
	fmt.Fprintf(&b, "- name: %s\n  action: %s\n", strings.NewReplacer(".", "-", "_", "-").Replace(k.Name), k.Name)
	if k.Destroys && k.Allows("deployments") {
		b.WriteString("  target: workload(target)\n")
	}
	if k.Example != nil {
		given, err := values(k.Example())
		if err != nil {
			return "", err
		}
		maps.DeleteFunc(given, func(name string, v any) bool {
			return fmt.Sprint(v) == fmt.Sprint(defaults[name]) || v == nil
		})
		text, err := json.Marshal(given) // which is YAML, too
		if err != nil {
			return "", err
		}
		if len(given) > 0 {
			fmt.Fprintf(&b, "  with: %s\n", text)
		}
	}
	if k.Reversible {
		b.WriteString("  undo_after: 1h\n")
	}
	return b.String(), nil
}

func writeActions(w io.Writer, all []actionLine) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ACTION\tTARGETS\tUNDONE\tWHAT IT DOES")
	for _, a := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", a.Name, targetsOf(a), undoneOf(a), a.Doc)
	}
	_ = t.Flush()
}

func targetsOf(a actionLine) string {
	if len(a.Targets) == 0 {
		return "any"
	}
	return strings.Join(a.Targets, ",")
}

func undoneOf(a actionLine) string {
	switch {
	case a.Undone:
		return "yes"
	case a.Class != string(action.Effect):
		return "changes nothing"
	}
	return "no"
}

// writeAction prints all of one action.
func writeAction(w io.Writer, a actionLine) {
	fmt.Fprintf(w, "%s\n  %s\n\ntargets  %s\nundone   %s\n", a.Name, a.Doc, targetsOf(a), undoneOf(a))
	if len(a.Parameters) > 0 {
		fmt.Fprintln(w, "\nparameters (with)")
	}
	for _, p := range a.Parameters {
		fmt.Fprintf(w, "  %s: %s", p.Name, p.Type)
		if p.Default != nil {
			text, _ := json.Marshal(p.Default) // it came of JSON
			fmt.Fprintf(w, ", %s unless said", text)
		}
		fmt.Fprintln(w)
		if p.Doc != "" {
			fmt.Fprintf(w, "      %s\n", p.Doc)
		}
	}
	for _, r := range []struct {
		title string
		list  []string
	}{{"rights that it takes", a.Needs}, {"rights without which it does less, and says so", a.Helps}} {
		if len(r.list) > 0 {
			fmt.Fprintf(w, "\n%s\n  %s\n", r.title, strings.Join(r.list, "\n  "))
		}
	}
	if a.OptIn {
		fmt.Fprintln(w, "\nIts rights come only with a playbook that uses it: firebreak rbac --playbooks FILE.")
	}
	fmt.Fprintf(w, "\na step\n%s", indent(a.Example))
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}
