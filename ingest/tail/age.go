package tail

import (
	"cmp"
	"path/filepath"
	"strings"
)

// Live is the name that a log had before it was rotated, and what rotation put
// to it: NAME.1, NAME.20260102-030405 (kubelet), NAME-20260102 (logrotate with
// dates) or BASE-2026-01-02T03-04-05.678.EXT (the API server's audit log). The
// mark is empty for a log that was not rotated.
func Live(name string) (live, mark string) {
	dir, base := filepath.Split(name)
	ext := filepath.Ext(base)
	if at := len(base) - len(ext) - len(backupTime) - 1; at > 0 && base[at] == '-' && isTime(base[at+1:len(base)-len(ext)]) {
		return dir + base[:at] + ext, base[at+1 : len(base)-len(ext)]
	}
	// The rest after the last letter, from its first dot or dash on.
	at := strings.LastIndexFunc(base, func(r rune) bool { return (r < '0' || r > '9') && !strings.ContainsRune(".-_:", r) })
	cut := strings.IndexAny(base[at+1:], ".-")
	if at < 0 || cut < 0 {
		return name, ""
	}
	live, mark = base[:at+1+cut], base[at+2+cut:]
	// "server-1" is a name of its own, "server.1" and "server-20260102" are not.
	plain := base[at+1+cut] == '-' && !strings.Contains(live, ".") && len(mark) < len("20260102")
	if plain || strings.Trim(mark, ".-_:") != mark || mark == "" {
		return name, ""
	}
	return dir + live, mark
}

const backupTime = "2006-01-02T15-04-05.000"

func isTime(text string) bool {
	for i := range len(backupTime) {
		digit := text[i] >= '0' && text[i] <= '9'
		if want := backupTime[i] >= '0' && backupTime[i] <= '9'; digit != want || !want && text[i] != backupTime[i] {
			return false
		}
	}
	return true
}

// byAge orders the files of a group from old to young: those that were rotated
// by a time from early to late, by a number from high to low, and last the one
// that was not rotated.
func byAge(a, b string) int { return ageOf(a).compare(ageOf(b)) }

// age is a name taken apart.
type age struct{ live, mark string }

func ageOf(name string) age {
	live, mark := Live(name)
	return age{live, mark}
}

func (a age) compare(b age) int {
	switch {
	case a.live != b.live:
		return cmp.Compare(a.live, b.live)
	case a.mark == "" || b.mark == "":
		return cmp.Compare(len(b.mark), len(a.mark))
	case isCount(a.mark) && isCount(b.mark):
		return cmp.Or(cmp.Compare(len(b.mark), len(a.mark)), cmp.Compare(b.mark, a.mark))
	}
	return cmp.Compare(a.mark, b.mark)
}

// isCount tells a number of rotations from a date.
func isCount(mark string) bool { return len(mark) < 6 && !strings.ContainsAny(mark, ".-_:") }
