package tail

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// packedExt is the ending of the files that rotation has compressed.
const packedExt = ".gz"

// maxPacked bounds what is unpacked of one file.
const maxPacked = 1 << 30

// unpack finds a file of the last run that was compressed since, and reads what
// is left of it. Other compressed files are not read: they were read before
// they were compressed, or were there before Firebreak.
func (t *Follower) unpack(p position) bool {
	if p.HeadLen == 0 {
		return false
	}
	for _, l := range t.listers {
		for _, path := range l.packed[p.Group] {
			f, err := t.unpacked(path)
			if err != nil {
				t.say("unpack "+path, FaultRead, "unpack "+t.o.Name, "path", path, "error", err)
				continue
			}
			info, err := f.Stat()
			if err != nil || !p.is(f, info.Size()) {
				f.Close()
				continue
			}
			// Its own inode: that of the file it was made of may be another's now.
			m := met{found: found{path: strings.TrimSuffix(path, packedExt), group: p.Group}, key: keyOf(info), place: place{path: path}}
			file := t.take(m, p)
			file.gone, file.unnamed = true, true
			t.opened(file, f)
			return true
		}
	}
	return false
}

// unpacked is what a file holds, as a file without a name beside the
// checkpoint.
func (t *Follower) unpacked(path string) (*os.File, error) {
	at, info, err := t.roots.find(path)
	if err != nil {
		return nil, err
	}
	packed, _, err := at.open(keyOf(info))
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(t.o.Checkpoint), "unpacked-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(tmp.Name()); err != nil {
		tmp.Close()
		return nil, err
	}
	n, err := io.Copy(tmp, io.LimitReader(r, maxPacked+1))
	if err == nil && n > maxPacked {
		err = fmt.Errorf("more than %d bytes", maxPacked)
	}
	if err != nil {
		tmp.Close()
		return nil, err
	}
	return tmp, nil
}
