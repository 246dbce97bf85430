package function

import (
	"path"
	"strings"

	"github.com/firebreak-io/firebreak/internal/conf"
)

func init() {
	for _, f := range []struct {
		name, doc, example string
		part               func(string) string
	}{
		{"path_base", "The last part of a path with slashes; empty of an empty path.", `path_base("/usr/bin/nc") == "nc"`, pathBase},
		{"path_dir", "A path without its last part, . and .. taken away.", `path_dir("/etc/cron.d/../passwd") == "/etc"`, pathDir},
		{"path_ext", "The end of a path's last part from its last dot on.", `path_ext("/srv/shop/x.tar.gz") == ".gz"`, path.Ext},
	} {
		register(Function{
			Func: conf.Func{Name: f.name, Signature: new(func(any) string), Fn: func(args ...any) (any, error) {
				return f.part(text(args[0])), nil
			}},
			Usage: f.name + "(text) text", Doc: f.doc, Example: f.example,
		})
	}
}

func pathBase(p string) string {
	p = strings.TrimRight(p, "/")
	return p[strings.LastIndexByte(p, '/')+1:]
}

func pathDir(p string) string {
	if p == "" {
		return ""
	}
	return path.Dir(p)
}
