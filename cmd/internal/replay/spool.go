package replay

import (
	"fmt"
	"os"
)

// memory is how many bytes of encoded items are kept in memory; what is more
// goes to a file that is gone when the process ends.
const memory = 32 << 20

// spool keeps encoded items until they are read in another order. It is not
// safe for concurrent use.
type spool struct {
	// limit is how much of it stays in memory.
	limit int64
	head  []byte
	file  *os.File
	size  int64
	buf   []byte // of the file, not written yet
}

// add appends data and gives its offset.
func (s *spool) add(data []byte) (int64, error) {
	at := s.size
	s.size += int64(len(data))
	if s.file == nil && s.size <= s.limit {
		s.head = append(s.head, data...)
		return at, nil
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "firebreak-replay-")
		if err != nil {
			return 0, fmt.Errorf("keep events: %w", err)
		}
		// Without a name it goes with the process, however that ends.
		if err := os.Remove(f.Name()); err != nil {
			f.Close()
			return 0, fmt.Errorf("keep events: %w", err)
		}
		s.file = f
	}
	if s.buf = append(s.buf, data...); len(s.buf) < 1<<20 {
		return at, nil
	}
	return at, s.flush()
}

func (s *spool) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.file.Write(s.buf)
	s.buf = s.buf[:0]
	if err != nil {
		return fmt.Errorf("keep events: %w", err)
	}
	return nil
}

// read gives n bytes from an offset that add gave. Nothing is added after the
// first read.
func (s *spool) read(at int64, n int) ([]byte, error) {
	if end := at + int64(n); end <= int64(len(s.head)) {
		return s.head[at:end], nil
	}
	if err := s.flush(); err != nil {
		return nil, err
	}
	into := make([]byte, n)
	if _, err := s.file.ReadAt(into, at-int64(len(s.head))); err != nil {
		return nil, fmt.Errorf("read events back: %w", err)
	}
	return into, nil
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
