package tail

import (
	"container/list"
	"os"
	"time"
)

// file is one file that is read while it grows.
type file struct {
	group *group
	key   fileKey
	// path is its name, place where that leads to.
	path  string
	place place
	// f is nil while the file is closed; open is its place among those that
	// are not.
	f    *os.File
	open *list.Element
	// saved is the position up to which everything is stored; at is where the
	// reading is.
	saved, at position
	// size and changed are those of the last look, done says that then all was
	// read, but for a line that has no end yet.
	size    int64
	changed time.Time
	done    bool
	// shadow is the file that this one is a copy of: it is not read.
	shadow *file
	// truncated says that it was seen to be, after how many looks at the names,
	// and is not yet begun again.
	truncated bool
	seen      uint64
	// prepared says that copies of what it held were looked for, lost is how
	// many bytes are known to be in none.
	prepared bool
	lost     int64
	// gone says that no path leads to it any more, ended that it was read to
	// its end then; unnamed that none ever did: it was unpacked.
	gone, ended, unnamed bool
}

// look says whether the file has changed since it was read.
func (f *file) look() bool {
	if f.shadow != nil || f.ended {
		return false
	}
	if f.gone || f.truncated {
		return true
	}
	var info os.FileInfo
	var err error
	if f.f != nil {
		info, err = f.f.Stat()
	} else {
		info, err = os.Stat(f.place.path)
	}
	if err != nil {
		return true
	}
	return !f.done || info.Size() != f.size || !info.ModTime().Equal(f.changed)
}

// close keeps the file's place in the follower, and gives back its handle.
func (f *file) close() {
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
}

// group is the files that belong together, the oldest first, with their
// reader.
type group struct {
	name   string
	reader Reader
	files  []*file
	// number is at least that of the next file's first line.
	number int64
	// ended says that the reader was told.
	ended bool
}

// commit is what becomes saved once a batch is stored.
type commit struct {
	file *file
	at   position
}

// commits gives the positions to save. What is held is read again after a
// crash: the position stays before it, and what comes after it in younger
// files is not saved yet.
func (g *group) commits(all []commit) []commit {
	mark, state, held := g.reader.Held()
	if !held {
		state = g.reader.State()
	}
	for _, f := range g.files {
		if f.shadow != nil {
			continue
		}
		at := f.at
		stop := held && mark.file == f
		if stop && mark.offset < at.Offset {
			at.Offset, at.Number, at.Skip, at.Hole = mark.offset, mark.number, false, false
			at.Truncated, at.Lost = mark.truncated, mark.lost
		}
		at.State = state
		switch {
		case at.Offset == f.saved.Offset:
			at.Tail, at.TailLen = f.saved.Tail, f.saved.TailLen
		case f.f != nil:
			at.learnTail(f.f)
		default:
			at.Tail, at.TailLen = "", 0
		}
		all = append(all, commit{f, at})
		if stop {
			break
		}
	}
	return all
}
