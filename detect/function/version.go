package function

import (
	"fmt"

	"github.com/Masterminds/semver/v3"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func:    conf.Func{Name: "semver_compare", Signature: new(func(any, any) any), Fn: semverCompare},
		Usage:   "semver_compare(a, b) number or nil",
		Doc:     "-1, 0 or 1 as version a is older than b, the same, or newer; nil when one of them is no version. v1.2 is 1.2.0.",
		Example: `semver_compare("v1.9.0", "1.10") == -1 and semver_compare("latest", "1.10") == nil`,
	})
	register(Function{
		Func: conf.Func{
			Name: "semver_in", Signature: new(func(any, any) bool), Fn: semverIn, Prepare: prepareRange, Constant: afterFirst,
		},
		Usage:   "semver_in(version, range) bool",
		Doc:     "Whether a version is in a range, as in \">=1.2 <2 || 3.x\"; a pre-release counts as what it comes before. What is no version is in none.",
		Example: `semver_in("1.4.2", ">=1.2 <2") and semver_in("1.25.0-rc.1", "<1.26")`,
	})
}

// versionOf reads a version.
func versionOf(v any) *semver.Version {
	s, _ := v.(string)
	if len(s) > 128 {
		return nil
	}
	out, err := semver.NewVersion(s)
	if err != nil {
		return nil
	}
	return out
}

func semverCompare(args ...any) (any, error) {
	a, b := versionOf(args[0]), versionOf(args[1])
	if a == nil || b == nil {
		return nil, nil
	}
	return a.Compare(b), nil
}

func prepareRange(i int, constant any) (any, error) {
	if i == 0 {
		return constant, nil
	}
	s, ok := constant.(string)
	if !ok || len(s) > 256 {
		return nil, fmt.Errorf("want a range of versions, as in \">=1.2 <2\"")
	}
	c, err := semver.NewConstraint(s)
	if err != nil {
		return nil, fmt.Errorf("%q is no range of versions: %w", s, err)
	}
	c.IncludePrerelease = true
	return c, nil
}

func semverIn(args ...any) (any, error) {
	v := versionOf(args[0])
	c, ok := args[1].(*semver.Constraints)
	return ok && v != nil && c.Check(v), nil
}
