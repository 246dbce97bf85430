package runlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/respond/receipt"
)

// writing is the body of a part, which fills the part's numbers in as it is
// read. Close waits for its end.
func (a *Archiver) writing(ctx context.Context, p *Part, runs func(yield func(endEntry, error) bool)) io.ReadCloser {
	r, w := io.Pipe()
	b := &archiveBody{PipeReader: r, done: make(chan error, 1)}
	go func() {
		err := a.write(ctx, w, p, runs)
		_ = w.CloseWithError(err) // never fails
		b.done <- err
	}()
	return b
}

type archiveBody struct {
	*io.PipeReader
	done chan error
}

// Close ends what writes, and gives how it ended.
func (b *archiveBody) Close() error {
	_ = b.PipeReader.Close() // never fails
	return <-b.done
}

func (a *Archiver) write(ctx context.Context, w io.Writer, p *Part, runs func(yield func(endEntry, error) bool)) error {
	out := receipt.NewArchiveWriter(w)
	for e, err := range runs {
		if err != nil {
			return err
		}
		if out.Size() >= a.most {
			break
		}
		if err := a.reach("writing"); err != nil {
			return err
		}
		records, err := a.log.stored(ctx, e.ID)
		if err != nil {
			return err
		}
		if why := receipt.Proves(e.ID, records); why != nil {
			a.logger.WarnContext(ctx, "the record of a run does not prove; it is set aside in the archive", "run", e.ID, "error", why)
			err = out.Aside(e.ID, why, records)
		} else {
			err = out.Run(e.ID, records)
		}
		if err != nil {
			return err
		}
		p.To = e.sequence
	}
	end, head, err := out.Close(p.Name, p.Previous)
	p.ArchiveEnd, p.Head = end, head
	return err
}

// readBack receipt.Proves a part as anybody can, and holds each of its records against
// the run log's, to the byte.
func (a *Archiver) readBack(ctx context.Context, store *bus.Objects, p Part) error {
	body, err := store.Get(ctx, p.Object)
	if err != nil {
		return err
	}
	defer body.Close()
	proof, err := receipt.ReadArchive(body, p.Head, func(run string, records [][]byte) error {
		have, err := a.log.stored(ctx, run)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(have, records, slices.Equal) {
			return fmt.Errorf("run %s is not what the run log has", run)
		}
		return nil
	})
	if err == nil && proof.ArchiveEnd != p.ArchiveEnd {
		err = errors.New("it is another")
	}
	return err
}

// partOf is the part that has the run at a place of ENDED.
func partOf(parts []Part, sequence uint64) (Part, bool) {
	at, found := slices.BinarySearchFunc(parts, sequence, func(p Part, s uint64) int {
		switch {
		case p.To < s:
			return -1
		case p.From > s:
			return 1
		}
		return 0
	})
	if !found {
		return Part{}, false
	}
	return parts[at], true
}
