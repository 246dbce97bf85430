package tail

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Options is what a [Follower] needs. Places, Handler and Checkpoint are
// required.
type Options struct {
	// Name is what the files are called in errors and logs: "container logs".
	Name   string
	Places []Place
	// Links are directories to which links may lead besides those of Places.
	Links []string
	// Handler takes the lines.
	Handler Handler
	// Checkpoint is the file that holds how far was read.
	Checkpoint string
	// Poll is how often all is looked at, besides what the system tells of
	// changes; 2 s when 0.
	Poll time.Duration
	// PollOnly leaves out the system's notices.
	PollOnly bool
	// MaxFiles is how many files are followed (10,000 when 0), MaxOpen how many
	// of them are open at a time (a quarter of what the process may, when 0).
	MaxFiles, MaxOpen int
	// MaxLine is the most bytes of a line; what is more is cut. 256 KiB when 0.
	MaxLine int
	// Mark and Settled are of a store that holds things back: Mark names what
	// was stored until now, and Settled is the last mark that a crash can't
	// undo. The checkpoint is written once it is settled. Nil is a store that
	// settles at once.
	Mark, Settled func() uint64
	// Settle is called at the end, to settle all; nil calls nothing.
	Settle func(ctx context.Context) error
	// Count counts what went wrong; nil counts nothing. It may be called
	// concurrently.
	Count  func(ctx context.Context, f Fault, n int64)
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Place is a directory with files to follow.
type Place struct {
	// Dir must exist.
	Dir string
	// Depth is how many directories lie between Dir and the files at most.
	Depth int
	// Enter says whether to look into a directory, by its path below Dir; nil
	// enters all.
	Enter func(rel string) bool
	// Match says whether a file is wanted, by its path below Dir, and to which
	// group it belongs.
	Match func(rel string) (group string, ok bool)
}

// Handler makes things of lines and stores them. Open, Full and Take are
// called by one goroutine.
type Handler interface {
	// Open gives the reader of a group: path is that of its first file, target
	// the same but for links, and state what [Reader.State] gave when the
	// files were read before.
	Open(group, path, target, state string) Reader
	// Full says that enough has gathered to be stored.
	Full() bool
	// Take gives what was made of the lines since the last call, as a function
	// that stores it; nil when there is nothing. The function is called on
	// another goroutine, again after an error, and may store things twice.
	Take() func(ctx context.Context) error
}

// Reader takes the lines of one group. All calls come from one goroutine.
type Reader interface {
	// Line takes the next line.
	Line(l Line)
	// Idle says that there are no more lines for now. It gives the time at
	// which it wants to be called again, zero when only after another line.
	Idle(now time.Time) time.Time
	// End says that what is open will not go on: the files are gone, or were
	// truncated.
	End()
	// Held is the place of the first line that a crash must not forget, as it
	// is not yet taken, and the state before it.
	Held() (m Mark, state string, held bool)
	// State is kept with the position.
	State() string
}

// Line is one line of a file.
type Line struct {
	// Text has no line end. It is valid until the call returns.
	Text []byte
	// Cut says that it was longer than the bound; the rest is left out.
	Cut bool
	// Path is the file's name now, Number the line's in its group, from 0.
	Path   string
	Number int64
	// Truncated says that the file was truncated before this line, and that
	// lines may be missing; Lost is how many bytes are known to be.
	Truncated bool
	Lost      int64
	// Mark is where it stands.
	Mark Mark
}

// Mark is the place of a line.
type Mark struct {
	file      *file
	offset    int64
	number    int64
	truncated bool
	lost      int64
}

// Fault is something that went wrong.
type Fault string

// The faults.
const (
	// FaultTruncated counts files that were truncated.
	FaultTruncated Fault = "truncated"
	// FaultLost counts bytes that were there and can't be read any more.
	FaultLost Fault = "lost_bytes"
	// FaultGone counts files that went away before they were read to the end.
	FaultGone Fault = "gone"
	// FaultRead counts files that can't be read.
	FaultRead Fault = "read"
	// FaultLink counts links that lead out of the allowed directories.
	FaultLink Fault = "link"
	// FaultMany counts times that there were more files than the bound.
	FaultMany Fault = "too_many"
	// FaultCheckpoint counts checkpoints that can't be read or written.
	FaultCheckpoint Fault = "checkpoint"
	// FaultStore counts times that the store refused.
	FaultStore Fault = "store"
)

// Faults is the closed set, for a metric's label.
func Faults() []Fault {
	return []Fault{FaultTruncated, FaultLost, FaultGone, FaultRead, FaultLink, FaultMany, FaultCheckpoint, FaultStore}
}

func (o *Options) fill() error {
	if len(o.Places) == 0 || o.Handler == nil || o.Checkpoint == "" {
		return errors.New("places, handler and checkpoint are required")
	}
	if o.Name == "" {
		o.Name = "files"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Poll <= 0 {
		o.Poll = 2 * time.Second
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = 10_000
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = openLimit()
	}
	if o.MaxLine <= 0 {
		o.MaxLine = 256 << 10
	}
	if o.Count == nil {
		o.Count = func(context.Context, Fault, int64) {}
	}
	if o.Mark == nil || o.Settled == nil {
		o.Mark, o.Settled = func() uint64 { return 0 }, func() uint64 { return 0 }
	}
	return nil
}

// Before says whether the line stands before another of its group.
func (m Mark) Before(o Mark) bool { return m.number < o.number }
