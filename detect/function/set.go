package function

import (
	"slices"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func:    conf.Func{Name: "any_in", Signature: new(func(any, any) bool), Fn: anyIn, Prepare: prepareSet},
		Usage:   "any_in(list, list) bool",
		Doc:     "Whether one of the first list's items is in the second. A text or number stands for a list of itself.",
		Example: `any_in(["get", "escalate"], ["escalate", "bind"])`,
	})
	register(Function{
		Func:    conf.Func{Name: "all_in", Signature: new(func(any, any) bool), Fn: allIn, Prepare: prepareSet},
		Usage:   "all_in(list, list) bool",
		Doc:     "Whether there is an item in the first list, and all of them are in the second.",
		Example: `all_in(["get", "list"], ["get", "list", "watch"]) and not all_in([], ["get"])`,
	})
}

// set is a list that is looked up.
type set map[any]struct{}

func setOf(v any) set {
	if s, ok := v.(set); ok {
		return s
	}
	out := set{}
	for _, item := range single(v) {
		if k := key(item); k != nil {
			out[k] = struct{}{}
		}
	}
	return out
}

func prepareSet(i int, constant any) (any, error) {
	if i == 1 {
		return setOf(constant), nil
	}
	return constant, nil
}

// single is a list, or the list of one value.
func single(v any) []any {
	if list := items(v); list != nil {
		return list
	}
	if key(v) == nil {
		return nil
	}
	return []any{v}
}

// key is what values are compared by: nil for what is equal to nothing.
func key(v any) any {
	switch v := v.(type) {
	case string, bool, float64:
		return v
	case int:
		return float64(v)
	case int64:
		return float64(v)
	}
	return nil
}

func within(s set) func(any) bool {
	return func(v any) bool {
		k := key(v)
		_, has := s[k]
		return k != nil && has
	}
}

func anyIn(args ...any) (any, error) {
	return slices.ContainsFunc(single(args[0]), within(setOf(args[1]))), nil
}

func allIn(args ...any) (any, error) {
	list, has := single(args[0]), within(setOf(args[1]))
	return len(list) > 0 && !slices.ContainsFunc(list, func(v any) bool { return !has(v) }), nil
}
