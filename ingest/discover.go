package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// discover finds the log files, opens new ones, follows renamed ones, and
// marks those that are gone.
func (t *Tail) discover() error {
	paths, err := t.list()
	if err != nil {
		return err
	}
	seen := make(map[fileKey]bool, len(paths))
	for _, p := range paths {
		if key, ok := t.meet(p); ok {
			seen[key] = true
		}
	}
	for key, f := range t.files {
		f.gone = !seen[key]
	}
	for _, run := range t.runs {
		slices.SortStableFunc(run.files, func(a, b *tailFile) int { return byAge(a.path, b.path) })
	}
	return nil
}

// list gives the paths of log files that are wanted, the oldest of each
// container first.
func (t *Tail) list() ([]string, error) {
	fsys := t.root.FS()
	pods, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	var paths []string
	for _, pod := range pods {
		if !pod.IsDir() || !t.wanted(pod.Name()) {
			continue
		}
		found, err := fs.Glob(fsys, escapeGlob(pod.Name())+"/*/*.log*")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list logs: %w", err)
		}
		for _, p := range found {
			if _, _, ok := containerOf(p); ok && !strings.HasSuffix(p, ".gz") && !strings.HasSuffix(p, ".tmp") {
				paths = append(paths, p)
			}
		}
	}
	slices.SortFunc(paths, byAge)
	return t.atMost(paths), nil
}

// atMost leaves out files past the bound, those that are read already stay.
func (t *Tail) atMost(paths []string) []string {
	if len(paths) <= t.o.Config.MaxFiles {
		t.full = false
		return paths
	}
	if !t.full {
		t.full = true
		t.o.Logger.Warn("more log files than max_files, the rest is not read", "files", len(paths), "max_files", t.o.Config.MaxFiles)
	}
	reading := map[string]bool{}
	for _, f := range t.files {
		reading[f.path] = true
	}
	slices.SortStableFunc(paths, func(a, b string) int {
		switch {
		case reading[a] == reading[b]:
			return 0
		case reading[a]:
			return -1
		}
		return 1
	})
	return paths[:t.o.Config.MaxFiles]
}

func (t *Tail) wanted(pod string) bool {
	namespace, _, ok := strings.Cut(pod, "_")
	c := t.o.Config
	return ok && (len(c.Namespaces) == 0 || slices.Contains(c.Namespaces, namespace)) && !slices.Contains(c.Exclude, namespace)
}

// meet looks at the file at a path: one that is known may have a new name.
func (t *Tail) meet(p string) (fileKey, bool) {
	info, err := t.root.Stat(p)
	if err != nil || !info.Mode().IsRegular() {
		return fileKey{}, false
	}
	device, inode := inodeOf(info)
	key := fileKey{device, inode}
	if f := t.files[key]; f != nil {
		f.path = p
		return key, true
	}
	f, err := t.root.OpenFile(p, os.O_RDONLY|noBlock, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.o.Logger.Warn("open log", "path", p, "error", err)
		}
		return fileKey{}, false
	}
	// Between the two calls the name may have gone to another file.
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
		f.Close()
		return fileKey{}, false
	}
	t.open(key, p, f, info.Size())
	return key, true
}

// open takes a file into its run, from where it was left if it is the same.
func (t *Tail) open(key fileKey, p string, f *os.File, size int64) {
	object, name, _ := containerOf(p)
	run := t.runs[name]
	if run == nil {
		run = &tailRun{name: name, lines: &assembler{container: name, object: object, origin: Origin{Cluster: t.o.Cluster}, trusted: t.o.Config.TrustedProxies}}
		t.runs[name] = run
	}
	file := &tailFile{run: run, path: p, f: f, saved: position{Path: p, Device: key.device, Inode: key.inode}}
	file.saved.Ordinal = run.ordinal
	for _, older := range run.files {
		file.saved.Ordinal = max(file.saved.Ordinal, older.ordinal)
	}
	if last, ok := t.known[key]; ok && last.is(f, size) {
		last.Path = p
		file.saved = last
		if run.lines.format == formatUnknown {
			run.lines.format = last.Format
		}
	}
	file.rewind()
	run.files = append(run.files, file)
	t.files[key] = file
}

// directories are those in which files may change.
func (t *Tail) directories() []string {
	dirs := map[string]bool{".": true}
	for _, f := range t.files {
		dirs[path.Dir(f.path)] = true
		dirs[path.Dir(path.Dir(f.path))] = true
	}
	return sortedKeys(dirs)
}

// byAge orders the files of a container from old to young: 0.log.TIME, then
// 0.log, then 1.log.
func byAge(a, b string) int {
	if d := cmp.Compare(path.Dir(a), path.Dir(b)); d != 0 {
		return d
	}
	runA, restA, _ := strings.Cut(path.Base(a), ".log")
	runB, restB, _ := strings.Cut(path.Base(b), ".log")
	switch {
	case runA != runB:
		return cmp.Or(cmp.Compare(len(runA), len(runB)), cmp.Compare(runA, runB))
	case restA == "" || restB == "":
		return cmp.Compare(len(restB), len(restA)) // the one without a time is the youngest
	}
	return cmp.Compare(restA, restB)
}

func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
