package tail

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// errOutside says that a link leads out of the allowed directories.
var errOutside = errors.New("link leads out of the allowed directories")

// maxLinks is how many links are followed from one name.
const maxLinks = 8

// root is a directory under which files may be opened.
type root struct {
	dir  string
	real string // without links
	os   *os.Root
}

// roots opens files over links, as long as they stay under a root.
type roots []*root

func openRoots(dirs []string) (roots, error) {
	var all roots
	for _, dir := range dirs {
		// Links name absolute targets.
		abs, err := filepath.Abs(dir)
		if err != nil {
			all.close()
			return nil, err
		}
		r := &root{dir: abs}
		if err := r.open(); err != nil {
			all.close()
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (r *root) open() error {
	opened, err := os.OpenRoot(r.dir)
	if err != nil {
		return err
	}
	if r.real, err = filepath.EvalSymlinks(r.dir); err != nil {
		opened.Close()
		return err
	}
	r.os = opened
	return nil
}

// renew opens the directory again when another one has its name now, and says
// whether it has.
func (r *root) renew() (bool, error) {
	now, err := os.Stat(r.dir)
	if err != nil {
		return false, err
	}
	if was, err := r.os.Stat("."); err == nil && os.SameFile(was, now) {
		return false, nil
	}
	old := r.os
	if err := r.open(); err != nil {
		return false, err
	}
	old.Close()
	return true, nil
}

func (a roots) close() {
	for _, r := range a {
		r.os.Close()
	}
}

// place is a file without links on the way from its root.
type place struct {
	root *root
	rel  string
	path string // absolute
}

func (a roots) of(path string) (place, bool) {
	for _, r := range a {
		for _, dir := range []string{r.dir, r.real} {
			if rel, ok := strings.CutPrefix(path, dir+string(filepath.Separator)); ok {
				return place{r, rel, path}, true
			}
		}
	}
	return place{}, false
}

// find goes from a name to the file, over links.
func (a roots) find(path string) (place, fs.FileInfo, error) {
	for range maxLinks {
		at, ok := a.of(path)
		if !ok {
			return place{}, nil, errOutside
		}
		info, err := at.root.os.Lstat(at.rel)
		if err != nil {
			return place{}, nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return at, info, nil
		}
		target, err := at.root.os.Readlink(at.rel)
		if err != nil {
			return place{}, nil, err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = filepath.Clean(target)
	}
	return place{}, nil, fmt.Errorf("more than %d links", maxLinks)
}

var errOther = errors.New("it is another file now")

// open opens the file of a place, when it is still the one of the key.
func (p place) open(key fileKey) (*os.File, fs.FileInfo, error) {
	f, err := p.root.os.OpenFile(p.rel, os.O_RDONLY|noBlock, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && (keyOf(info) != key || !info.Mode().IsRegular()) {
		err = errOther
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
