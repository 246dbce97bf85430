package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"strings"
)

//go:embed page/*.html
var pageFiles embed.FS

//go:embed asset/*
var assetFiles embed.FS

// pages are the templates, by the names of their files, and the assets that
// they name.
type pages struct {
	byName map[string]*template.Template
	assets map[string]asset
	// names are those under which assets are served, with the hash in them.
	names map[string]string
}

type asset struct {
	kind string
	data []byte
}

// assetKinds are what there is.
var assetKinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

func newPages() (pages, error) {
	p := pages{byName: map[string]*template.Template{}, assets: map[string]asset{}, names: map[string]string{}}
	files, err := assetFiles.ReadDir("asset")
	if err != nil {
		return p, err
	}
	for _, f := range files {
		data, err := assetFiles.ReadFile("asset/" + f.Name())
		if err != nil {
			return p, err
		}
		sum, ext := sha256.Sum256(data), path.Ext(f.Name())
		name := strings.TrimSuffix(f.Name(), ext) + "-" + hex.EncodeToString(sum[:6]) + ext
		p.assets[name], p.names[f.Name()] = asset{assetKinds[ext], data}, Root+"asset/"+name
	}
	funcs := template.FuncMap{"asset": func(name string) string { return p.names[name] }, "under": under}
	shared, err := template.New("").Funcs(funcs).ParseFS(pageFiles, "page/layout.html", "page/part_*.html")
	if err != nil {
		return p, err
	}
	all, err := pageFiles.ReadDir("page")
	if err != nil {
		return p, err
	}
	for _, f := range all {
		name := strings.TrimSuffix(f.Name(), ".html")
		if name == "layout" || strings.HasPrefix(name, "part_") {
			continue
		}
		t, err := template.Must(shared.Clone()).ParseFS(pageFiles, "page/"+f.Name())
		if err != nil {
			return p, err
		}
		p.byName[name] = t
	}
	return p, nil
}

// under gives a part of a page what every form needs, with what the part is of.
func under(p page, part any) map[string]any { return map[string]any{"Form": p.Form, "It": part} }

func (p pages) write(w io.Writer, name string, data page) error {
	t, ok := p.byName[name]
	if !ok {
		return fmt.Errorf("no page %q", name)
	}
	return t.ExecuteTemplate(w, "layout", data)
}

// asset serves what pages name. A name holds the hash of what it is, so that
// browsers may keep it.
func (c *Console) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := c.pages.assets[r.PathValue("name")]
	if !ok {
		c.fail(c.visit(w, r), Problem{http.StatusNotFound, "There is no such page."})
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.data) // the client is gone; there is nobody to tell
}
