package respond

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// maxLevels bounds what an approval says of priorities.
const maxLevels = 4

// approve reads who decides, and who does from a priority on.
func (l *loader) approve(at string, s approveSpec) Approve {
	a := Approve{Need: 1, Within: defaultWithin}
	a = l.decide(at, a, levelSpec{By: s.By, Need: s.Need, Within: s.Within, Explain: s.Explain, NoChat: s.NoChat})
	a.Page = choose(l, at+".otherwise", s.Otherwise, "deny", "page") == "page"
	if len(s.Levels) > maxLevels {
		l.problem(at+".levels", "%d: %d are the most", len(s.Levels), maxLevels)
		return a
	}
	plain := a
	for i, one := range s.Levels {
		place := fmt.Sprintf("%s.levels[%d]", at, i)
		switch {
		case !slices.Contains(event.Severities(), one.Priority):
			l.problem(place+".priority", "%q is none of %s%s", one.Priority, strings.Join(event.SeverityInfo.Values(), ", "), conf.Suggest(string(one.Priority), event.SeverityInfo.Values()))
		case slices.ContainsFunc(a.Levels, func(o ApproveLevel) bool { return o.Priority == one.Priority }):
			l.problem(place+".priority", "%q is there twice", one.Priority)
		}
		a.Levels = append(a.Levels, ApproveLevel{Priority: one.Priority, Approve: l.decide(place, plain, one)})
	}
	slices.SortFunc(a.Levels, func(x, y ApproveLevel) int { return cmp.Compare(x.Priority.Rank(), y.Priority.Rank()) })
	return a
}

// decide is what a place says over what holds without it.
func (l *loader) decide(at string, a Approve, s levelSpec) Approve {
	a.Within = l.within(at+".within", s.Within, a.Within, maxWithin)
	a.Explain, a.NoChat = a.Explain || s.Explain, a.NoChat || s.NoChat
	if len(s.By) > 0 {
		a.By = s.By
	}
	if s.Need != nil {
		a.Need = *s.Need
	}
	if a.Need < 1 || a.Need > 10 {
		l.problem(at+".need", "%d: between 1 and 10 people can be needed", a.Need)
	}
	for i, by := range s.By {
		kind, name, _ := strings.Cut(by, "/")
		if (kind != "user" && kind != "group") || name == "" {
			l.problem(fmt.Sprintf("%s.by[%d]", at, i), "%q is neither user/NAME nor group/NAME", by)
		}
	}
	return a
}
