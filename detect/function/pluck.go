package function

import (
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	register(Function{
		Func: conf.Func{
			Name: "pluck", Signature: new(func(any, any) []any), Fn: pluck, Prepare: preparePath, Constant: afterFirst,
		},
		Usage: "pluck(value, path) list",
		Doc: "All that is at a path of keys with dots between them, through the items of lists on the way: " +
			"pluck(fields.request, \"spec.containers.image\") are the images of a pod. Empty when there is nothing.",
		Example: `pluck([{"a": {"b": ["x", "y"]}}, {"a": {"b": "z"}}], "a.b") == ["x", "y", "z"]`,
	})
}

type keys []string

func preparePath(i int, constant any) (any, error) {
	if s, ok := constant.(string); ok && i == 1 {
		return keys(strings.Split(s, ".")), nil
	}
	return constant, nil
}

func pluck(args ...any) (any, error) {
	path, _ := args[1].(keys)
	found := []any{}
	gather(args[0], path, 0, &found)
	return found, nil
}

// gather adds what is at the path; lists within lists count as one, to a depth.
func gather(v any, path keys, depth int, into *[]any) {
	if len(*into) >= maxItems || depth > 32 {
		return
	}
	if list := items(v); list != nil {
		for _, item := range list {
			gather(item, path, depth+1, into)
		}
		return
	}
	if len(path) == 0 {
		if v != nil {
			*into = append(*into, v)
		}
		return
	}
	if next := at(v, path[0]); next != nil {
		gather(next, path[1:], depth+1, into)
	}
}
