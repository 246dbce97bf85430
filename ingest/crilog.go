package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/firebreak-io/firebreak/internal/conf"
	"github.com/firebreak-io/firebreak/internal/event"
)

func init() {
	register(Kind{
		Name: "log",
		Doc: "Container logs from the node's files: CRI as the kubelet lays them out, Docker's json-file, or plain lines; " +
			"over rotation, truncation and restart; stack traces joined.",
		Source: event.SourceLog,
		Config: func() any {
			return &LogConfig{Directory: "/var/log/pods", Poll: conf.Duration(2 * time.Second), MaxFiles: 10_000, Multiline: true}
		},
		Open: openLog,
		Scan: scanLog,
	})
}

// LogConfig is the configuration of the reader of container logs.
type LogConfig struct {
	// Directory holds NAMESPACE_POD_UID/CONTAINER/N.log (/var/log/pods),
	// POD_NAMESPACE_CONTAINER-ID.log (/var/log/containers) or ID/ID-json.log
	// (/var/lib/docker/containers).
	Directory string `yaml:"directory,omitempty" json:"directory,omitempty"`
	// Follow are directories to which links of Directory may lead, as they do
	// with Docker (/var/lib/docker/containers) and in /var/log/containers
	// (/var/log/pods). Links to anywhere else are not followed.
	Follow []string `yaml:"follow,omitempty" json:"follow,omitempty"`
	// Namespaces to read, all when there are none, and to leave out.
	Namespaces []string `yaml:"namespaces,omitempty" json:"namespaces,omitempty"`
	Exclude    []string `yaml:"exclude,omitempty" json:"exclude,omitempty"`
	// Poll is how often the directory is looked at besides what the system
	// tells of changes.
	Poll conf.Duration `yaml:"poll,omitempty" json:"poll,omitempty"`
	// MaxFiles is how many files are read at most; more are left out, which
	// is logged.
	MaxFiles int `yaml:"max_files,omitempty" json:"max_files,omitempty"`
	// MaxOpen is how many files are open at a time; by default a quarter of
	// what the process may open.
	MaxOpen int `yaml:"max_open,omitempty" json:"max_open,omitempty"`
	// Multiline joins stack traces into one event; on by default.
	Multiline bool `yaml:"multiline" json:"multiline"`
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
	object, run, _ := containerOf(name)
	a := &assembler{container: run, object: object, origin: o, traces: true}
	if run == "" {
		a.container = name
	}
	give := func() (err error) {
		a.take(func(e *event.Event, line int) {
			if err == nil {
				counts.Events++
				err = yield(Item{Event: e, Line: line})
			}
		})
		return err
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
		class, fault := a.add(logInput{text: raw.text, cut: raw.cut, line: n, number: int64(n - 1), from: at(name, n)})
		counts.add(class, 1)
		if err := give(); err != nil {
			return counts, err
		}
		if fault != nil {
			counts.Rejects++
			rejected := reject(event.SourceLog, at(name, n), fault.Error(), raw.text)
			if err := yield(Item{Rejected: &rejected, Line: n}); err != nil {
				return counts, err
			}
		}
	}
	a.flush()
	return counts, give()
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
