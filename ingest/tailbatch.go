package ingest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/firebreak-io/firebreak/internal/event"
)

// tailBatch gathers what was read until it is stored together.
type tailBatch struct {
	events  []event.Event
	bytes   int
	rejects []event.Rejected
	more    map[*tailFile]int // rejects of a file that are only counted
	count   map[*tailFile]int
}

// maxFileRejects is how many lines of one file a batch keeps as rejects.
const maxFileRejects = 20

func (b *tailBatch) add(e event.Event) {
	b.events = append(b.events, e)
	b.bytes += len(e.Message) + 512
}

func (b *tailBatch) reject(f *tailFile, r event.Rejected) {
	if b.count == nil {
		b.count, b.more = map[*tailFile]int{}, map[*tailFile]int{}
	}
	if b.count[f]++; b.count[f] > maxFileRejects {
		b.more[f]++
		return
	}
	b.rejects = append(b.rejects, r)
}

// full says that the batch fills a frame.
func (b *tailBatch) full() bool {
	return len(b.events) >= event.MaxFrameEvents || b.bytes >= event.MaxFrameBytes || len(b.rejects) >= event.MaxFrameEvents
}

// take empties the batch.
func (b *tailBatch) take() ([]event.Event, []event.Rejected) {
	events, rejects := b.events, b.rejects
	files := slices.SortedFunc(maps.Keys(b.more), func(x, y *tailFile) int { return int(x.saved.Inode) - int(y.saved.Inode) })
	for _, f := range files {
		rejects = append(rejects, reject(event.SourceLog, f.path, fmt.Sprintf("and %d more lines of the file", b.more[f]), nil))
	}
	*b = tailBatch{}
	return events, rejects
}
