package respond

import (
	"sync"

	"github.com/firebreak-io/firebreak/internal/event"
)

// maxTexts bounds the playbooks that are kept compiled for runs.
const maxTexts = 64

// compiled are playbooks by the text that runs began with: a thousand runs
// of one playbook share it. It may be used concurrently.
type compiled struct {
	mu    sync.Mutex
	books map[string]*Playbook
}

// read is [ParseRun].
func (t *compiled) read(run event.Run) (*Playbook, error) {
	t.mu.Lock()
	book := t.books[run.Spec]
	t.mu.Unlock()
	if book != nil {
		return book, book.fits(run)
	}
	book, err := ParseRun(run)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.books == nil || len(t.books) >= maxTexts {
		t.books = map[string]*Playbook{}
	}
	t.books[run.Spec] = book
	return book, nil
}
