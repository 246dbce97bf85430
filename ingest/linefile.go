package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/ingest/tail"
	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

// FileConfig is the configuration of a source that is read from files of one
// value a line.
type FileConfig struct {
	// Paths are the files, with * and ? as of a shell in their names. What
	// they were rotated to, by time or by number, is read too, but for what is
	// compressed. The directory of each must exist.
	Paths []string `yaml:"paths,omitempty" json:"paths,omitempty"`
	// Follow are further directories to which links may lead.
	Follow []string `yaml:"follow,omitempty" json:"follow,omitempty"`
	// Poll is how often the files are looked at besides what the system tells
	// of changes.
	Poll conf.Duration `yaml:"poll,omitempty" json:"poll,omitempty"`
	// MaxFiles is how many files are read at most; more are left out, which
	// is logged.
	MaxFiles int `yaml:"max_files,omitempty" json:"max_files,omitempty"`
	// Volume says what is stored one by one: store.
	Volume `yaml:",inline"`
}

// maxAuditLine is how much of a line is read; of an audit event that is longer
// what stands before its bodies is kept.
const maxAuditLine = MaxEvent + 4<<10

// stdin is the path that means standard input.
const stdin = "-"

func defaultFiles(paths ...string) *FileConfig {
	return &FileConfig{Paths: paths, Poll: conf.Duration(2 * time.Second), MaxFiles: 100}
}

// Check says what of the configuration could not be used.
func (c *FileConfig) Check() error {
	switch {
	case len(c.Paths) == 0:
		return errors.New("no paths to read")
	case c.Poll <= 0:
		return errors.New("poll is not above zero")
	case c.MaxFiles <= 0:
		return errors.New("max_files is not above zero")
	}
	for _, p := range c.Paths {
		if _, err := filepath.Match(p, ""); err != nil || p == "" {
			return fmt.Errorf("paths: %q is no pattern", p)
		}
		if p == stdin && len(c.Paths) > 1 {
			return errors.New("paths: standard input stands alone")
		}
	}
	return nil
}

// line reads one line: JSON, or the text that the source has between it.
func (f input) line(line []byte, o Origin) ([]event.Event, []event.Rejected) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return nil, nil
	}
	if f.text != nil && line[0] != '{' && line[0] != '[' {
		skip, known := f.text(line, o)
		switch {
		case skip > 0 && skip < len(line):
			line = line[skip:]
		case known == nil:
			return nil, []event.Rejected{reject(f.source, o.From, "not JSON", line)}
		case known.err != nil:
			return nil, []event.Rejected{reject(f.source, o.From, known.err.Error(), line)}
		default:
			return []event.Event{known.event}, nil
		}
	}
	return f.decode(line, o)
}

// openLines opens the reader of files with one value a line.
func openLines(d Deps, c *FileConfig, in input, name, checkpoint string) (Source, error) {
	o := tail.Options{Name: name, Poll: c.Poll.Std(), MaxFiles: c.MaxFiles, MaxLine: maxAuditLine}
	for _, p := range c.Paths {
		o.Places = append(o.Places, placeOf(d.under(p)))
	}
	for _, dir := range c.Follow {
		o.Links = append(o.Links, d.under(dir))
	}
	return followFiles(d, in.source, checkpoint, o, func(f *files, _, _, _, _ string) tail.Reader {
		return &lineFile{files: f, in: in}
	})
}

// placeOf is where the files of a pattern lie.
func placeOf(pattern string) tail.Place {
	dir, depth := filepath.Dir(pattern), 0
	for strings.ContainsAny(dir, "*?[") {
		dir = filepath.Dir(dir)
		depth++
	}
	below, _ := filepath.Rel(dir, pattern) // dir is its prefix
	return tail.Place{Dir: dir, Depth: depth, Match: func(rel string) (string, bool) {
		switch filepath.Ext(rel) {
		case ".gz", ".bz2", ".xz", ".zst", ".tmp", ".swp":
			return "", false
		}
		// What was rotated belongs to the file of the name that it had.
		live, _ := tail.Live(rel)
		for _, name := range []string{live, rel} {
			if ok, _ := filepath.Match(below, name); ok {
				return filepath.Join(dir, name), true
			}
		}
		return "", false
	}}
}

// lineFile reads one file and what it was rotated to.
type lineFile struct {
	files *files
	in    input
}

// Line takes the next line.
func (r *lineFile) Line(l tail.Line) {
	from := fileAt(l.Path, l.Number)
	if l.Cut {
		o := Origin{From: from, Received: r.files.now(), Cluster: r.files.d.Cluster}
		if r.in.source == event.SourceAudit {
			if e, ok := r.in.cutAudit(l.Text, o); ok {
				tellLoss(&e, l.Truncated, l.Lost)
				r.files.batch.add(&e)
				return
			}
		}
		r.files.batch.reject(l.Path, reject(r.in.source, from, errLong.Error(), l.Text))
		return
	}
	events, rejects := r.in.line(l.Text, Origin{From: from, Received: r.files.now(), Cluster: r.files.d.Cluster})
	for i := range events {
		if i == 0 {
			tellLoss(&events[i], l.Truncated, l.Lost)
		}
		r.files.batch.add(&events[i])
	}
	for i := range rejects {
		r.files.batch.reject(l.Path, rejects[i])
	}
}

// Idle has nothing to wait for: each line stands for itself.
func (r *lineFile) Idle(time.Time) time.Time { return time.Time{} }

// End has nothing to give.
func (r *lineFile) End() {}

// Held holds nothing.
func (r *lineFile) Held() (tail.Mark, string, bool) { return tail.Mark{}, "", false }

// State is empty: the ids are over what stands in the lines.
func (r *lineFile) State() string { return "" }
