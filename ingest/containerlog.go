package ingest

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/firebreak-io/firebreak/ingest/tail"
	"github.com/firebreak-io/firebreak/internal/event"
)

// Check says what of the configuration could not be used.
func (c *LogConfig) Check() error {
	switch {
	case c.Directory == "":
		return errors.New("no directory to read")
	case c.Poll <= 0:
		return errors.New("poll is not above zero")
	case c.MaxFiles <= 0:
		return errors.New("max_files is not above zero")
	case c.MaxOpen < 0:
		return errors.New("max_open is below zero")
	}
	for _, dir := range c.Follow {
		if filepath.Clean(dir) == "/" || dir == "" {
			return fmt.Errorf("follow: %q would let links lead anywhere", dir)
		}
	}
	return checkProxies(c.TrustedProxies)
}

// openLog opens the reader of container logs.
func openLog(d Deps, config any) (Source, error) {
	c := *config.(*LogConfig)
	o := tail.Options{
		Name: "container logs", Poll: c.Poll.Std(), MaxFiles: c.MaxFiles, MaxOpen: c.MaxOpen, MaxLine: maxLine,
		Places: []tail.Place{{
			Dir: d.under(c.Directory), Depth: 2,
			Enter: func(rel string) bool { return strings.ContainsRune(rel, filepath.Separator) || c.enters(rel) },
			Match: c.match,
		}},
	}
	for _, dir := range c.Follow {
		o.Links = append(o.Links, d.under(dir))
	}
	budget := &atomic.Int64{}
	return followFiles(d, event.SourceLog, "log-positions.json", o, func(f *files, group, path, target, state string) tail.Reader {
		object, _, _ := containerOf(path)
		r := &containerLog{files: f, lines: assembler{
			container: group, object: linkedTo(object, target), origin: Origin{Cluster: d.Cluster}, traces: c.Multiline, trusted: c.TrustedProxies,
			budget: budget, pods: d.Pods,
		}}
		r.restore(state)
		return r
	})
}

// enters says whether a directory may hold logs that are wanted.
func (c *LogConfig) enters(dir string) bool {
	namespace, _, ok := strings.Cut(dir, "_")
	return ok && c.wants(namespace) || isLongID(dir)
}

func (c *LogConfig) wants(namespace string) bool {
	return (len(c.Namespaces) == 0 || slices.Contains(c.Namespaces, namespace)) && !slices.Contains(c.Exclude, namespace)
}

// match says whose log a file is. One of which only the container's id is
// known is read where no namespace is asked for.
func (c *LogConfig) match(rel string) (string, bool) {
	object, run, ok := containerOf(rel)
	return run, ok && c.wants(object.Namespace)
}

// containerLog reads the log files of one run of a container.
type containerLog struct {
	files *files
	lines assembler
}

// Line takes the next line.
func (r *containerLog) Line(l tail.Line) {
	a := &r.lines
	from := fileAt(l.Path, l.Number)
	now := r.files.now()
	a.origin.Received = now
	_, fault := a.add(logInput{
		text: l.Text, cut: l.Cut, number: l.Number, from: from, now: now, mark: l.Mark, truncated: l.Truncated, lost: l.Lost,
	})
	if fault != nil {
		r.files.batch.reject(l.Path, reject(event.SourceLog, from, fault.Error(), l.Text))
	}
	r.give()
}

// give moves what is complete to the batch.
func (r *containerLog) give() {
	r.lines.take(func(e *event.Event, _ int) { r.files.batch.add(e) })
}

// Idle gives what no line followed in time.
func (r *containerLog) Idle(now time.Time) time.Time {
	r.lines.origin.Received = r.files.now()
	next := r.lines.idle(now)
	r.give()
	return next
}

// End gives what will not go on.
func (r *containerLog) End() {
	r.lines.origin.Received = r.files.now()
	r.lines.flush()
	r.give()
}

// Held is the first line that is open.
func (r *containerLog) Held() (tail.Mark, string, bool) {
	o := r.lines.held()
	if o == nil {
		return tail.Mark{}, "", false
	}
	return o.mark, r.state(o.before), true
}

// State is the envelope and what the next line depends on.
func (r *containerLog) State() string { return r.state(r.lines.state()) }

func (r *containerLog) state(s stampState) string {
	head := string(r.lines.format)
	if s.out > 0 || s.err > 0 {
		head = fmt.Sprintf("%s,%d,%d", head, s.out, s.err)
	}
	return head + " " + strconv.FormatInt(s.nth, 10) + " " + s.stamp
}

func (r *containerLog) restore(state string) {
	parts := strings.SplitN(state, " ", 3)
	if len(parts) < 3 {
		return
	}
	head := strings.Split(parts[0], ",")
	switch f := format(head[0]); f {
	case formatCRI, formatDocker, formatRaw:
		r.lines.format = f
	}
	for i, name := range []string{streamOut, streamErr} {
		if i+1 < len(head) {
			left, _ := strconv.Atoi(head[i+1]) // what is no number is no key
			if left > 0 {
				if r.lines.format == formatRaw {
					name = ""
				}
				r.lines.stream(name).key.left = min(left, maxKeyLines)
			}
		}
	}
	r.lines.nth, _ = strconv.ParseInt(parts[1], 10, 64)
	r.lines.stamp = parts[2]
}
