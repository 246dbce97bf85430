package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name:   "log",
		Doc:    "Container logs: CRI files as the kubelet lays them out, Docker's json-file, or plain lines.",
		Source: event.SourceLog,
		Config: func() any {
			return &LogConfig{Directory: "/var/log/pods", Poll: conf.Duration(2 * time.Second), MaxFiles: 2000}
		},
		Open: openLog,
		Scan: scanLog,
	})
}

// openLog opens the reader of log files.
func openLog(d Deps, config any) (Source, error) {
	c := *config.(*LogConfig)
	if !filepath.IsAbs(c.Directory) {
		c.Directory = filepath.Join(d.Dir, c.Directory)
	}
	tail, err := NewTail(TailOptions{
		Config: c, Checkpoint: filepath.Join(d.Data, "log-positions.json"),
		Sink: d.Sink, Store: d.Store, Metrics: d.Metrics, Logger: d.Logger, Cluster: d.Cluster, Now: d.Now,
	})
	if err != nil {
		return Source{}, err
	}
	return Source{Run: tail.Run}, nil
}

// LogConfig is the configuration of the reader of container logs.
type LogConfig struct {
	// Directory holds NAMESPACE_POD_UID/CONTAINER/N.log.
	Directory string `yaml:"directory,omitempty" json:"directory,omitempty"`
	// Namespaces to read, all when there are none, and to leave out.
	Namespaces []string `yaml:"namespaces,omitempty" json:"namespaces,omitempty"`
	Exclude    []string `yaml:"exclude,omitempty" json:"exclude,omitempty"`
	// Poll is how often the directory is looked at besides what the system
	// tells of changes.
	Poll conf.Duration `yaml:"poll,omitempty" json:"poll,omitempty"`
	// MaxFiles is how many files are read at most; more are left out, which
	// is logged.
	MaxFiles int `yaml:"max_files,omitempty" json:"max_files,omitempty"`
	// TrustedProxies are the addresses whose word on a client's address
	// (X-Forwarded-For) is believed, as CIDR: see logline.Client. Without any
	// the client is the peer.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies,omitempty" json:"trusted_proxies,omitempty"`
	// Volume says what is stored one by one: store, summarise.
	Volume `yaml:",inline"`
}

// scanLog reads a log file; the name's path may say which container wrote it.
func scanLog(name string, r io.Reader, o Origin, yield func(Item) error) (Counts, error) {
	var counts Counts
	object, container, _ := containerOf(name)
	a := &assembler{container: container, object: object, origin: o}
	if container == "" {
		a.container = name
	}
	give := func(done *openLine) error {
		e := a.event(done)
		counts.Events++
		return yield(Item{Event: &e, Line: done.line})
	}
	lines := newLineReader(skipBOM(r), maxLine)
	for n := 1; ; n++ {
		raw, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return counts, fmt.Errorf("scan %s: %w", name, err)
		}
		done, class, fault := a.add(raw, n, int64(n), at(name, n))
		counts.add(class, 1)
		if fault != nil {
			counts.Rejects++
			rejected := reject(event.SourceLog, at(name, n), fault.Error(), raw.text)
			err = yield(Item{Rejected: &rejected, Line: n})
		} else if done != nil {
			err = give(done)
		}
		if err != nil {
			return counts, err
		}
	}
	for _, rest := range a.flush() {
		if err := give(rest); err != nil {
			return counts, err
		}
	}
	return counts, nil
}

// skipBOM leaves out a byte order mark at the beginning.
func skipBOM(r io.Reader) io.Reader {
	head := make([]byte, 3)
	n, err := io.ReadFull(r, head)
	head = bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf"))
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return io.MultiReader(bytes.NewReader(head), failing{err})
	}
	return io.MultiReader(bytes.NewReader(head), r)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// containerOf reads the path of a container's log as the kubelet makes it:
// …/NAMESPACE_POD_UID/CONTAINER/N.log, and …/N.log.TIME after rotation. The
// name is that of one run of the container, the same before and after
// rotation.
func containerOf(path string) (ref event.Ref, name string, ok bool) {
	file := filepath.Base(path)
	container := filepath.Base(filepath.Dir(path))
	pod := strings.Split(filepath.Base(filepath.Dir(filepath.Dir(path))), "_")
	run, _, ok := strings.Cut(file, ".log")
	if !ok || len(pod) != 3 || container == "" || run == "" || strings.Trim(run, "0123456789") != "" {
		return event.Ref{}, "", false
	}
	ref = event.PodRef(pod[0], pod[1])
	ref.UID, ref.Container = pod[2], container
	return ref, pod[2] + "/" + container + "/" + run, true
}
