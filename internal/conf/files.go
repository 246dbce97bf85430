package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Read reads the documents of files, and of the *.yaml and *.yml files right in
// directories, in order of name; files that end in _test.yaml are left out, and
// so is what begins with a dot (the work of mounted ConfigMaps). Like
// [Documents] it gives what is fine beside the error.
func Read(paths ...string) ([]*Document, error) {
	var docs []*Document
	var errs []error
	for _, p := range paths {
		files, err := filesOf(p)
		if err != nil {
			errs = append(errs, &Error{File: p, Msg: err.Error()})
		}
		for _, file := range files {
			more, err := readFile(os.DirFS(filepath.Dir(file)), filepath.Base(file), file)
			docs, errs = append(docs, more...), append(errs, err)
		}
	}
	return docs, errors.Join(errs...)
}

// ReadFS reads the documents of the YAML files at the top of fsys, as [Read]
// does; prefix is put before their names in errors.
func ReadFS(fsys fs.FS, prefix string) ([]*Document, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", prefix, err)
	}
	var docs []*Document
	var errs []error
	for _, e := range entries {
		if isDocument(e.Name()) {
			more, err := readFile(fsys, e.Name(), path.Join(prefix, e.Name()))
			docs, errs = append(docs, more...), append(errs, err)
		}
	}
	return docs, errors.Join(errs...)
}

func isDocument(name string) bool {
	ext := path.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && name[0] != '.' && !IsTest(name)
}

// IsTest says whether a file of that name holds tests, not documents.
func IsTest(name string) bool {
	return strings.HasSuffix(strings.TrimSuffix(name, path.Ext(name)), "_test")
}

func filesOf(p string) ([]string, error) {
	info, err := os.Stat(p)
	if err != nil || !info.IsDir() {
		return []string{p}, nil // readFile says what is wrong
	}
	entries, err := os.ReadDir(p)
	if err != nil {
		return nil, fmt.Errorf("can't be read: %w", errors.Unwrap(err))
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && isDocument(e.Name()) {
			files = append(files, filepath.Join(p, e.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}

// readFile reads one file and refuses it by its size before that.
func readFile(fsys fs.FS, name, shown string) ([]*Document, error) {
	info, err := fs.Stat(fsys, name)
	if err == nil && info.Size() > MaxFileBytes {
		return nil, &Error{File: shown, Msg: fmt.Sprintf("file has %d bytes, more than %d", info.Size(), MaxFileBytes)}
	}
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, &Error{File: shown, Msg: fmt.Sprintf("can't be read: %v", err)}
	}
	return Documents(shown, data)
}
