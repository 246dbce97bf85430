package tail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// found is a name that is wanted.
type found struct {
	path  string // absolute
	age   age
	group string
	// fresh says that the name may lead to another file than when it was
	// looked at last.
	fresh bool
}

// lister lists the wanted names of a place. A directory that has not changed
// is not read again.
type lister struct {
	Place
	root *root
	dirs map[string]*listing // by path below Dir
	// broken is the last fault of a directory below Dir.
	broken error
	// packed are the compressed files of groups.
	packed map[string][]string
}

// listing is what a directory held.
type listing struct {
	changed, read time.Time
	entries       []fs.DirEntry
	seen          bool
}

// settled is how old a directory's last change must be to say that all that
// happened before it was seen: clocks of file systems are coarse.
const settled = time.Second

// maxEntries bounds what is read of one directory.
const maxEntries = 100_000

// list gives the wanted names, also with an error as many as could be read.
func (l *lister) list(now time.Time) ([]found, error) {
	renewed, err := l.root.renew()
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", l.Dir, err)
	}
	if renewed {
		clear(l.dirs)
	}
	for _, d := range l.dirs {
		d.seen = false
	}
	l.broken, l.packed = nil, map[string][]string{}
	var all []found
	if err := l.walk(".", l.Depth, now, &all); err != nil {
		return nil, fmt.Errorf("list %s: %w", l.Dir, err)
	}
	for rel, d := range l.dirs {
		if !d.seen {
			delete(l.dirs, rel)
		}
	}
	if l.broken != nil {
		return all, fmt.Errorf("list %s: %w", l.Dir, l.broken)
	}
	return all, nil
}

func (l *lister) walk(rel string, depth int, now time.Time, all *[]found) error {
	entries, fresh, err := l.read(rel, now)
	if err != nil {
		return err
	}
	for _, e := range entries {
		below := filepath.Join(rel, e.Name())
		if e.IsDir() {
			if depth > 0 && (l.Enter == nil || l.Enter(below)) {
				// It may be gone by now, or be unreadable: the others go on.
				if err := l.walk(below, depth-1, now, all); err != nil && !errors.Is(err, fs.ErrNotExist) {
					l.broken = err
				}
			}
			continue
		}
		link := e.Type()&fs.ModeSymlink != 0
		if !link && !e.Type().IsRegular() {
			continue
		}
		if plain, ok := strings.CutSuffix(below, packedExt); ok {
			if group, ok := l.Match(plain); ok {
				l.packed[group] = append(l.packed[group], filepath.Join(l.root.dir, below))
			}
			continue
		}
		if group, ok := l.Match(below); ok {
			path := filepath.Join(l.root.dir, below)
			*all = append(*all, found{path: path, age: ageOf(path), group: group, fresh: fresh || link})
		}
	}
	return nil
}

// read gives what a directory holds, and whether it was read just now.
func (l *lister) read(rel string, now time.Time) ([]fs.DirEntry, bool, error) {
	stat := os.Lstat
	if rel == "." {
		stat = os.Stat // the root itself may be a link
	}
	info, err := stat(filepath.Join(l.root.dir, rel))
	if err != nil {
		return nil, false, err
	}
	last := l.dirs[rel]
	if last != nil && last.changed.Equal(info.ModTime()) && last.read.Sub(last.changed) > settled {
		last.seen = true
		return last.entries, false, nil
	}
	dir, err := l.root.os.Open(rel)
	if err != nil {
		return nil, false, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	l.dirs[rel] = &listing{changed: info.ModTime(), read: now, entries: entries, seen: true}
	return entries, true, nil
}
