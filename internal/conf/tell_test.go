package conf

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func requestOf4xx(path string) Domain {
	switch path {
	case "class":
		return Among("http.request")
	case "outcome":
		return Among("denied", "success")
	case "http.status":
		return Between(400, 499)
	case "object.namespace":
		return Given()
	}
	return Domain{}
}

func TestTell(t *testing.T) {
	for text, want := range map[string]Answer{
		`class == "http.request"`:                                 Always,
		`"http.request" == class and http.status >= 400`:          Always,
		`class != "http.request"`:                                 Never,
		`class in ["auth.login", "http.request"]`:                 Always,
		`class not in ["auth.login"]`:                             Always,
		`http.status == 401`:                                      Open,
		`http.status in [401, 403]`:                               Open,
		`http.status in [301, 503]`:                               Never,
		`http.status >= 500 or class == "log.error"`:              Never,
		`http.status > 399 and 500 > http.status`:                 Always,
		`http.status >= 499`:                                      Open,
		`not (http.status < 400)`:                                 Always,
		`outcome in ["failure", "denied"]`:                        Open,
		`outcome in ["success", "denied", "x"]`:                   Always,
		`outcome == "failure"`:                                    Never,
		`outcome == "denied"`:                                     Open,
		`message contains "x"`:                                    Open,
		`message contains "x" and class == "a"`:                   Never,
		`message contains "x" or class == "http.request"`:         Always,
		`object.namespace == "shop"`:                              Told,
		`object.namespace startsWith "s" and class endsWith "st"`: Told,
		`object.namespace == "shop" ? http.status : 1`:            Open,
		`class == "a" ? message : object.namespace`:               Told,
		`object.name`:                                             Open,
		`object`:                                                  Open,
		`let s = http.status; s >= 400 and s < 500`:               Always,
		`let class = message; class == "http.request"`:            Open,
		`let object = class; object == "http.request"`:            Always,
		`any([1, 2], # == 1)`:                                     Told,
		`any(["401"], # == string(http.status))`:                  Open,
		`any(tags, # == "x")`:                                     Open,
		`fields["class"]`:                                         Open,
		`fields.x ?? "a"`:                                         Open,
		`-http.status <= -400`:                                    Always,
		`(http.status >= 500) == (object.namespace == "x")`:       Told,
		`1 < 2`:                              Always,
		`lower(class)`:                       Told,
		`http["status"] >= 400`:              Always,
		`http?.status >= 400`:                Always,
		`)`:                                  Open,
		`outcome == object.namespace`:        Open,
		`object.namespace in ["a", "b"]`:     Told,
		`object.namespace in ["a", message]`: Open,
		`split(object.namespace, "-")[0] == "a" and outcome != "no"`: Told,
	} {
		if got := (Expression{Text: text}).Tell(requestOf4xx); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestParts(t *testing.T) {
	for text, want := range map[string]string{
		`a == 1`: `a == 1`, `a == "x" and (b or c) && not d`: `a == "x"; b or c; not d`, `a or b and c`: `a or (b and c)`, `)`: `)`, `(a and b) and c in ["x"]`: `a; b; c in ["x"]`,
	} {
		var got []string
		for _, p := range (Expression{Text: text}).Parts() {
			got = append(got, p.Text)
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// drawn are conditions on class, other, fixed and status.
func drawn(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		if depth == 0 {
			kind = rapid.IntRange(4, 6).Draw(t, "leaf")
		}
		draw := func(name string) string { return "(" + drawn(depth-1).Draw(t, name) + ")" }
		switch kind {
		case 0:
			return draw("a") + " and " + draw("b")
		case 1:
			return draw("a") + " or " + draw("b")
		case 2:
			return "not " + draw("a")
		case 3:
			return draw("a") + " ? " + draw("b") + " : " + draw("c")
		case 4:
			return fmt.Sprintf("status %s %d", rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "op"), rapid.IntRange(0, 6).Draw(t, "n"))
		case 5:
			return fmt.Sprintf("%s %s %q", rapid.SampledFrom([]string{"class", "fixed", "other"}).Draw(t, "name"),
				rapid.SampledFrom([]string{"==", "!=", "startsWith"}).Draw(t, "op"), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "text"))
		}
		return rapid.SampledFrom([]string{
			`class in ["a", "b"]`, `class in ["a", "c"]`, `status in [2, 3]`, `status in [5]`, `fixed in ["a"]`, `class == fixed`, `other in ["a", fixed]`,
		}).Draw(t, "in")
	})
}

// What is said of an expression holds for all values within the domains.
func TestTellIsRight(t *testing.T) {
	type env struct {
		Class  string `expr:"class"`
		Other  string `expr:"other"`
		Fixed  string `expr:"fixed"`
		Status int    `expr:"status"`
	}
	known := func(path string) Domain {
		switch path {
		case "class":
			return Among("a", "b")
		case "fixed":
			return Given()
		case "status":
			return Between(2, 4)
		}
		return Domain{}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := drawn(rapid.IntRange(0, 3).Draw(t, "depth")).Draw(t, "expression")
		answer := Expression{Text: text}.Tell(known)
		p, err := Compile(env{}, text, Bool)
		if err != nil {
			t.Fatal(err)
		}
		fixed := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "fixed")
		var wasTrue, wasFalse bool
		for _, class := range []string{"a", "b"} {
			for status := 2; status <= 4; status++ {
				for _, other := range []string{"a", "b", "x"} {
					got, err := p.Bool(env{class, other, fixed, status})
					if err != nil {
						t.Fatal(err)
					}
					wasTrue, wasFalse = wasTrue || got, wasFalse || !got
				}
			}
		}
		if answer == Always && wasFalse || answer == Never && wasTrue || answer == Told && wasTrue && wasFalse {
			t.Fatalf("%s: %v, and it was true %v, false %v", text, answer, wasTrue, wasFalse)
		}
	})
}
