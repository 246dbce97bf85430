package guard

import (
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestApprovers: whom a lockout takes of those who decide, who is left, and that it
// asks where too few are.
func TestApprovers(t *testing.T) {
	in := func(user string) []string {
		return map[string][]string{"ann": {"oncall"}, "zoe": {"oncall", "admins"}}[user]
	}
	ann, oncall := event.Identity{User: "ann"}, event.Identity{Group: "oncall"}
	for name, tt := range map[string]struct {
		denies []event.Identity
		by     []string
		need   int
		want   event.Decision
		text   string
	}{
		"nobody of them":               {[]event.Identity{{User: "bob"}}, []string{"user/ann"}, 1, event.Pass, "it takes nothing from who decides"},
		"nobody is named":              {[]event.Identity{ann}, nil, 1, event.Pass, "it takes nothing from who decides"},
		"no lockout":                   {nil, []string{"user/ann"}, 1, event.Pass, "it takes nothing from who decides"},
		"the only one":                 {[]event.Identity{ann}, []string{"user/ann"}, 1, event.Ask, "NOBODY IS LEFT TO APPROVE: it locks out user/ann, who decides on playbook contain, and nobody else is named"},
		"one of two":                   {[]event.Identity{ann}, []string{"user/ann", "user/bob"}, 1, event.Pass, "left to decide is user/bob"},
		"one of two, both are needed":  {[]event.Identity{ann}, []string{"user/ann", "user/bob"}, 2, event.Ask, "TOO FEW ARE LEFT TO APPROVE: it locks out user/ann, who decides on playbook contain: it takes 2, and left is user/bob"},
		"a group is left":              {[]event.Identity{ann}, []string{"user/ann", "group/admins"}, 2, event.Pass, "left to decide is group/admins"},
		"known to be in the group":     {[]event.Identity{ann}, []string{"group/oncall"}, 1, event.Pass, "user/ann (in group/oncall), who decides on playbook contain: left to decide is group/oncall"},
		"the group":                    {[]event.Identity{oncall}, []string{"group/oncall"}, 1, event.Ask, "NOBODY IS LEFT"},
		"the group of who is named":    {[]event.Identity{oncall}, []string{"user/ann", "user/zoe"}, 1, event.Ask, "user/ann (in group/oncall), user/zoe (in group/oncall)"},
		"the group of one that counts": {[]event.Identity{oncall}, []string{"user/ann", "user/bob"}, 1, event.Pass, "left to decide is user/bob"},
		"a group called as a user":     {[]event.Identity{{Group: "ann"}}, []string{"user/ann"}, 1, event.Pass, "nothing"},
	} {
		c := Check{Effect: true, Losses: Losses(tt.denies, []Approvers{{Of: "playbook contain", By: tt.by, Need: tt.need}}, in)}
		if got, text := (approvers{}).Judge(t.Context(), c); got != tt.want || !strings.Contains(text, tt.text) {
			t.Errorf("%s: %s %q", name, got, text)
		}
	}
	asked := []Approvers{{Of: "a", By: []string{"user/ann", "user/bob"}}, {Of: "b", By: []string{"user/ann"}}, {Of: "c", By: []string{"user/bob"}}}
	if all := Losses([]event.Identity{ann}, asked, in); len(all) != 2 || all[0].Of != "b" || all[1].Of != "a" {
		t.Errorf("those of whom nobody is left are not first: %+v", all)
	}
}
