package detect

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// documents makes a file of documents that are given as KIND NAME and a spec.
func documents(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		kind, name, _ := strings.Cut(pairs[i], " ")
		b.WriteString("apiVersion: firebreak.io/v1alpha1\nkind: " + kind + "\nmetadata: {name: " + name + "}\nspec: " + pairs[i+1] + "\n---\n")
	}
	return b.String()
}

func mustSet(t *testing.T, pairs ...string) *RuleSet {
	t.Helper()
	set, err := ruleSet(t, documents(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func over(t *testing.T, mine, base *RuleSet) *RuleSet {
	t.Helper()
	set, err := mine.Over(base)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func finds(t *testing.T, set *RuleSet, e event.Event) []string {
	t.Helper()
	e.Source = event.SourceAudit
	findings, _, err := NewEngine(set, EngineOptions{}).Fold(&e, event.Address{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range findings {
		names = append(names, f.Rule)
	}
	return names
}

func sees(t *testing.T, set *RuleSet, user, verb string) bool {
	t.Helper()
	return len(finds(t, set, event.Event{Actor: event.Actor{User: user}, Verb: verb})) > 0
}

const strangerRule = `{title: T, severity: high, source: audit, when: macros.writes and actor.user not in lists.my_friends, message: "${actor.user in lists.my_friends}"}`

func TestListsAndMacros(t *testing.T) {
	base := mustSet(t, "List my-friends", "{items: [ann, bob, 7]}", "List changing", "{items: [create, patch]}",
		"Macro writes", "{when: verb in lists.changing}", "Rule stranger", strangerRule)
	check := func(set *RuleSet, want map[string]bool) {
		t.Helper()
		for who, found := range want {
			user, verb, _ := strings.Cut(who, " ")
			if sees(t, set, user, verb) != found {
				t.Errorf("%s: want %v", who, found)
			}
		}
	}
	check(base, map[string]bool{"eve create": true, "ann create": false, "eve get": false})
	version := base.Lookup("stranger").Version()
	for name, c := range map[string]struct {
		mine    []string
		want    map[string]bool
		changes bool
	}{
		"replaced list":  {[]string{"List my-friends", "{items: [eve]}"}, map[string]bool{"eve create": false, "ann create": true}, true},
		"longer list":    {[]string{"List my-friends", "{items: [eve], append: true}"}, map[string]bool{"eve create": false, "ann create": false}, true},
		"list of macro":  {[]string{"List changing", "{items: [delete], append: true}"}, map[string]bool{"eve delete": true, "eve create": true}, true},
		"replaced macro": {[]string{"Macro writes", "{when: verb == \"get\"}"}, map[string]bool{"eve get": true, "eve create": false}, true},
		"wider macro":    {[]string{"Macro writes", "{when: verb == \"get\", append: true}"}, map[string]bool{"eve get": true, "eve create": true, "eve list": false}, true},
		"another list":   {[]string{"List friends", "{items: [eve]}"}, map[string]bool{"eve create": true}, false},
		"another rule":   {[]string{"Rule stranger", `{title: T, severity: low, source: audit, when: verb == "x"}`}, map[string]bool{"eve create": false, "eve x": true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			set := over(t, mustSet(t, append(c.mine, "List my-friends-2", "{items: [x]}")...), base)
			check(set, c.want)
			if got := set.Lookup("stranger").Version(); (got != version) != c.changes {
				t.Errorf("version %s, was %s", got, version)
			}
			check(base, map[string]bool{"eve create": true, "ann create": false, "eve get": false})
		})
	}
	off := over(t, mustSet(t, "Rule stranger", `{title: T, severity: low, source: audit, when: "true", enabled: false}`), base)
	if off.Lookup("stranger") != nil {
		t.Error("a rule that is not enabled is there")
	}
}

func TestLibraryProblemsHaveAPlace(t *testing.T) {
	rule := func(when string) []string {
		return []string{"Rule mine", "{title: T, severity: high, source: audit, when: '" + when + "'}"}
	}
	for name, c := range map[string]struct {
		docs []string
		want string
	}{
		"unknown list":   {append([]string{"List trusted-users", "{items: [a]}"}, rule(`actor.user in lists.trusted_user`)...), `:9:76: unknown list "trusted_user", did you mean "trusted_users"?`},
		"unknown macro":  {rule(`verb == "get" and macros.x-y`), `unknown macro "x"`},
		"in a macro":     {[]string{"Macro a", "{when: vreb == \"get\"}"}, `r.yaml:4:14: unknown name "vreb", did you mean "verb"?`},
		"cycle":          {[]string{"Macro a", "{when: macros.b}", "Macro b", "{when: not macros.a}"}, `macro "b" uses itself: b → a → b`},
		"cost":           {append([]string{"Macro deep", "{when: 'any(fields.a, {any(#, {# == 1})})'}"}, rule(`any(fields.b, {any(#, {macros.deep})})`)...), `macros.deep (r.yaml:4:15): any inside a loop has to go over a part`},
		"bare":           {rule(`lists`), `lists is followed by a name`},
		"let":            {rule(`let lists = 1; true`), `lists can't be a name of let`},
		"nested items":   {[]string{"List l", "{items: [[a]]}"}, `items are texts, numbers, true and false`},
		"twice":          {[]string{"List l", "{items: [a]}", "List l", "{items: [b]}"}, `"l" is the name of the List at r.yaml:1 too`},
		"type":           {append([]string{"List l", "{items: [a]}"}, rule(`lists.l`)...), `bool`},
		"no rule":        {append([]string{"Exception x", "{rule: mein, when: \"true\", reason: r}"}, rule("true")...), `r.yaml:4:14: there is no rule "mein"`},
		"until":          {append([]string{"Exception x", "{rule: mine, when: \"true\", reason: r, until: soon}"}, rule("true")...), `"soon" is no date`},
		"large":          {append([]string{"Macro a", "{when: '" + strings.Repeat("verb == \"get\" or ", 200) + "true'}"}, rule(strings.Repeat("macros.a or ", 10)+"true")...), "more than 1000 nodes"},
		"hidden by YAML": {append([]string{"List l", "{items: [a]}"}, "Rule m", `{title: T, severity: high, source: audit, when: "verb in li\x73ts.l"}`), "write lists.l plainly"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ruleSet(t, documents(c.docs...))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestExceptions(t *testing.T) {
	base := mustSet(t, "List my-friends", "{items: [ann]}", "Macro writes", "{when: verb == \"create\"}", "Rule stranger", strangerRule)
	mine := mustSet(t, "Rule other", `{title: T, severity: low, source: audit, when: verb == "other"}`,
		"Exception ci", `{rule: other, when: actor.user startsWith "ci-", reason: "It deploys.", until: 2026-03-01}`,
		"Exception shipped", `{rule: secret-read, when: "true", reason: "A shipped rule that is not loaded."}`)
	set := over(t, mine, base)
	for day, found := range map[int]bool{1: false, 2: true} {
		e := event.Event{Actor: event.Actor{User: "ci-1"}, Verb: "other", Received: time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC)}
		if got := finds(t, set, e); (len(got) > 0) != found {
			t.Errorf("on day %d: found %v", day, got)
		}
	}
	x := set.Lookup("other").(Excepting).Exceptions()
	if len(x) != 1 || x[0].Name != "ci" || x[0].Spec.Reason == "" {
		t.Errorf("exceptions are %+v", x)
	}
	more := over(t, mustSet(t, "Exception eve", `{rule: secret-read, when: actor.user == "eve", reason: r}`), set)
	if more.Version() != set.Version() {
		t.Error("an exception of another rule changes the version")
	}
	shipped, err := Shipped()
	if err != nil {
		t.Fatal(err)
	}
	quiet := over(t, mustSet(t, "Exception eve", `{rule: secret-read, when: actor.user == "eve", reason: r}`), shipped)
	e := event.Event{
		Actor: event.Actor{User: "eve"}, Verb: "get", Outcome: event.OutcomeAllowed,
		Object: event.Ref{Resource: "secrets", Namespace: "shop", Name: "db"}, Fields: event.Fields{"code": int64(200)},
	}
	if !slices.Contains(finds(t, shipped, e), "secret-read") || slices.Contains(finds(t, quiet, e), "secret-read") {
		t.Errorf("found %v, and with the exception %v", finds(t, shipped, e), finds(t, quiet, e))
	}
	if quiet.Lookup("secret-read").Version() == shipped.Lookup("secret-read").Version() {
		t.Error("the exception does not change the version of its rule")
	}
}

// TestImpliesSeesThroughLists checks that a filter of a source is compared with
// what lists and macros stand for.
func TestImpliesSeesThroughLists(t *testing.T) {
	set := mustSet(t, "List changing", "{items: [create, patch]}", "Macro writes", "{when: verb in lists.changing}",
		"Rule r", "{title: T, severity: low, source: audit, when: macros.writes and actor.user != \"x\"}")
	when := set.Lookup("r").(*Rule).Selects(event.SourceAudit)[0].Facts
	for goal, want := range map[string]bool{`verb in ["create", "patch", "delete"]`: true, `verb == "create"`: false} {
		if got := conf.Implies(when, conf.Expression{Text: goal}); got != want {
			t.Errorf("%s: %v", goal, got)
		}
	}
}
