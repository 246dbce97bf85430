package logline

import "strings"

// spot is where a line names a peer: BEFORE word ADDRESS "port" N AFTER.
type spot struct{ before, address, port, after string }

// maxSpots is how many of the last peers of a line are looked at.
const maxSpots = 16

// spots finds the peers that stand behind each occurrence of word. What a
// stranger typed can look like one, so a caller takes the last where nothing
// of theirs can follow, and none where it can't tell.
func spots(text, word string) []spot {
	var found []spot
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return found
		}
		start := at + i
		at = start + 1
		if s, ok := spotAt(text[start+len(word):]); ok {
			s.before = text[:start]
			if len(found) == maxSpots {
				found = found[1:]
			}
			found = append(found, s)
		}
	}
}

// spotAt reads an address that a text begins with, and the port behind it:
// "A port N", or A alone, with or without a mark of punctuation. UNKNOWN, as
// OpenSSH writes where the peer is gone, is a peer without an address.
func spotAt(text string) (spot, bool) {
	end := strings.IndexByte(text, ' ')
	if end < 0 {
		end = len(text)
	}
	if end > 128 {
		return spot{}, false
	}
	bare := strings.TrimRight(text[:end], ",.;")
	s := spot{address: address(bare), after: text[len(bare):]}
	if s.address == "" && strings.HasSuffix(bare, ":") {
		bare = bare[:len(bare)-1]
		s.address, s.after = address(bare), text[len(bare):]
	}
	if s.address == "" && bare != "UNKNOWN" {
		return spot{}, false
	}
	if number, ok := strings.CutPrefix(s.after, " port "); ok {
		n := 0
		for n < len(number) && n < 5 && number[n] >= '0' && number[n] <= '9' {
			n++
		}
		if n > 0 {
			s.port, s.after = number[:n], number[n:]
		}
	}
	return s, true
}

// lastSpot is the last of them.
func lastSpot(found []spot) (spot, bool) {
	if len(found) == 0 {
		return spot{}, false
	}
	return found[len(found)-1], true
}
