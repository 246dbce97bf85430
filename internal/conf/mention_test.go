package conf

import "testing"

func TestMentions(t *testing.T) {
	for text, want := range map[string]bool{
		`fields.stage == "ResponseComplete"`:               true,
		`verb == "get" and fields["stage"] in ["a"]`:       true,
		`any(["a"], {# == fields.stage})`:                  true,
		`fields?.stage == "a"`:                             true,
		`count(fields.stage == "a") > 3`:                   true,
		`verb == "stage"`:                                  false,
		`fields.stages == "a" or fields.request.stage > 1`: false,
		`actor.stage == "a"`:                               false,
		``:                                                 false,
	} {
		if got := (Expression{Text: text}).Mentions("fields.stage"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
