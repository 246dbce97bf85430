package tail

import "os"

// opened takes a handle into the bound: the file that was read longest ago is
// closed when there are too many.
func (t *Follower) opened(f *file, handle *os.File) {
	f.f = handle
	f.open = t.handles.PushFront(f)
	for e := t.handles.Back(); e != nil && t.handles.Len() > t.o.MaxOpen; {
		idle := e.Value.(*file)
		e = e.Prev()
		// A file without a name can't be opened again.
		if idle != f && !idle.gone {
			t.shut(idle)
		}
	}
}

// used says that a file was read just now.
func (t *Follower) used(f *file) {
	if f.open != nil {
		t.handles.MoveToFront(f.open)
	}
}

func (t *Follower) shut(f *file) {
	if f.open != nil {
		t.handles.Remove(f.open)
		f.open = nil
	}
	f.close()
}
