package backlog

// maxSections bounds how finely the unread part is known.
const maxSections = 256

// other is where bytes are counted that no source of this process is known to
// have put: what Firebreak itself says, other processes, the stream's own
// overhead.
const other = ""

// section is a stretch of the stream, after one sequence and up to another,
// with what each source put there.
type section struct {
	after, upTo uint64
	bytes       map[string]int64
}

// unread is the part of a section that is not read, from 0 to 1.
func (s *section) unread(read uint64) float64 {
	switch {
	case read >= s.upTo:
		return 0
	case read <= s.after:
		return 1
	}
	return float64(s.upTo-read) / float64(s.upTo-s.after)
}

// sections are the unread part of the stream, oldest first.
type sections []section

// add puts a section at the end.
func (s sections) add(upTo, after uint64, bytes map[string]int64) sections {
	if upTo <= after {
		// Nothing has come, or it belongs to what is there already.
		if n := len(s); n > 0 {
			s[n-1].bytes = sum(s[n-1].bytes, bytes)
		}
		return s
	}
	if s = append(s, section{after, upTo, bytes}); len(s) > maxSections {
		s = s.halve()
	}
	return s
}

// read drops what was read as a whole.
func (s sections) read(sequence uint64) sections {
	for len(s) > 0 && s[0].upTo <= sequence {
		s = s[1:]
	}
	return s
}

// halve makes one section of each two.
func (s sections) halve() sections {
	half := make(sections, 0, len(s)/2+1)
	for i := 0; i < len(s); i += 2 {
		merged := s[i]
		if i+1 < len(s) {
			merged = section{s[i].after, s[i+1].upTo, sum(s[i].bytes, s[i+1].bytes)}
		}
		half = append(half, merged)
	}
	return half
}

// weigh is how many bytes of each source are unread.
func (s sections) weigh(read uint64) map[string]int64 {
	weight := map[string]int64{}
	for i := range s {
		part := s[i].unread(read)
		for name, n := range s[i].bytes {
			weight[name] += int64(part * float64(n))
		}
	}
	return weight
}

func sum(a, b map[string]int64) map[string]int64 {
	all := make(map[string]int64, len(a))
	for name, n := range a {
		all[name] += n
	}
	for name, n := range b {
		all[name] += n
	}
	return all
}
