package conf

import (
	"strings"
	"testing"
)

type fieldEnv struct {
	HTTP struct {
		Status int    `expr:"status"`
		Path   string `expr:"path"`
	} `expr:"http"`
	Actor  *fieldActor    `expr:"actor"`
	Fields map[string]any `expr:"fields"`
	Verb   string         `expr:"verb"`
}

type fieldActor struct {
	User string `expr:"user"`
}

// A misspelled field is a mistake wherever it stands.
func TestMisspelledFields(t *testing.T) {
	for _, text := range []string{
		`http.stauts >= 400`, `actor.usr startsWith "x"`, `lower(actor.usr) == "x"`, `http.pth contains "x"`, `not (actor.usr in ["a"])`,
		`http.status >= 400 and vreb == "get"`, `vreb startsWith "x"`, `any(["a"], {actor.usr contains #})`, `actor?.usr matches "x"`,
		`len(http.pth) > 3`, `let u = actor.usr; u contains "x"`,
	} {
		if _, err := Compile(fieldEnv{}, text, Bool); err == nil || !strings.Contains(err.Error(), "did you mean") {
			t.Errorf("%s gave %v", text, err)
		}
	}
	for _, text := range []string{
		`http.status >= 400`, `actor.user startsWith "x"`, `fields.anything.at.all >= 1`, `any(fields.list, {.name contains "x"})`,
		`let u = actor.user; u contains "x"`, `actor?.user == "x"`, `fields["a"].b == 1`, `any(fields.l, {#.x == verb})`,
	} {
		if _, err := Compile(fieldEnv{}, text, Bool); err != nil {
			t.Errorf("%s gave %v", text, err)
		}
	}
}
