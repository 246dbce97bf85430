package ingest

// hints finds in one pass over a text which of many words occur in it, in any
// case, and whether behind them, and behind more letters, comes what has to: an
// automaton of Aho and Corasick. It decides which patterns need be searched at
// all; nearly every text needs none.
type hints struct {
	// next is the state after a byte, by class of bytes; found the patterns
	// whose word ends in a state.
	next  [][]uint16
	class [256]uint8
	found []uint64
	// follow are the patterns that may go on with a byte, bare those that may
	// end with their word; guarded are the others.
	follow        [256]uint64
	bare, guarded uint64
}

// newHints makes the automaton; words[i] are those of pattern i, in lower case
// and ASCII. There are at most 64 patterns.
func newHints(words [][]string) *hints {
	h := &hints{}
	classes := uint8(1)
	for _, list := range words {
		for _, word := range list {
			for i := range len(word) {
				if c := word[i]; h.class[c] == 0 {
					h.class[c] = classes
					classes++
				}
			}
		}
	}
	for c := byte('A'); c <= 'Z'; c++ {
		h.class[c] = h.class[c+'a'-'A']
	}
	h.state(int(classes))
	for pattern, list := range words {
		for _, word := range list {
			at := uint16(0)
			for i := range len(word) {
				c := h.class[word[i]]
				if h.next[at][c] == 0 {
					h.next[at][c] = h.state(int(classes))
				}
				at = h.next[at][c]
			}
			h.found[at] |= 1 << pattern
		}
	}
	h.link(int(classes))
	return h
}

func (h *hints) state(classes int) uint16 {
	h.next = append(h.next, make([]uint16, classes))
	h.found = append(h.found, 0)
	return uint16(len(h.next) - 1)
}

// link gives each state what to do with a byte that continues none of its
// words: what the longest end of it that begins a word would do.
func (h *hints) link(classes int) {
	fail := make([]uint16, len(h.next))
	var queue []uint16
	for _, to := range h.next[0] {
		if to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		h.found[at] |= h.found[fail[at]]
		for c := range classes {
			to := h.next[at][c]
			if to == 0 {
				h.next[at][c] = h.next[fail[at]][c]
				continue
			}
			fail[to] = h.next[fail[at]][c]
			queue = append(queue, to)
		}
	}
}

// guard says which bytes have to come behind the words of each pattern; behind
// those of one that is "" may come anything. Letters of a longer word may stand
// between, what is no ASCII among them, as it may be a letter in another case.
func (h *hints) guard(then []string) *hints {
	h.bare = ^uint64(0)
	for pattern, bytes := range then {
		if bytes != "" {
			h.guarded |= 1 << pattern
		}
	}
	h.bare &^= h.guarded
	for c := range h.follow {
		h.follow[c] = h.bare
	}
	for pattern, bytes := range then {
		for i := range len(bytes) {
			h.follow[bytes[i]] |= 1 << pattern
		}
	}
	return h
}

// in gives the patterns of which a word occurs in s, one bit each.
func (h *hints) in(s string) uint64 {
	var found uint64
	at, end := uint16(0), 0 // end is where the letters end that the last word is among
	for i := range len(s) {
		at = h.next[at][h.class[s[i]]]
		some := h.found[at] &^ found
		if some == 0 {
			continue
		}
		if some&h.guarded != 0 {
			for end = max(end, i+1); end < len(s) && isWordByte(s[end]); end++ {
			}
			if end < len(s) {
				some &= h.follow[s[end]]
			} else {
				some &= h.bare
			}
		}
		found |= some
	}
	return found
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '-' || c >= 0x80
}
