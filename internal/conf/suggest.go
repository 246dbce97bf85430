package conf

import (
	"fmt"
	"slices"
	"strings"
)

// Suggest is `, did you mean "x"?` for the nearest of the known names, or, when
// none is near and they are few, a list of them; else it is empty. It is made
// to be put at the end of a message.
func Suggest(name string, known []string) string {
	if meant := Meant(name, known); meant != "" {
		return meant
	}
	if len(known) > 0 && len(known) <= 12 {
		known = slices.Sorted(slices.Values(known))
		return fmt.Sprintf(" (known: %s)", strings.Join(known, ", "))
	}
	return ""
}

// Meant is [Suggest] for a message that lists the known names itself.
func Meant(name string, known []string) string {
	if best := nearest(name, known); best != "" {
		return fmt.Sprintf(", did you mean %q?", best)
	}
	return ""
}

// nearest is the known name that is most like another, empty when none is.
func nearest(name string, known []string) string {
	best, distance := "", 1+max(1, min(len(name), 32)/3)
	for _, k := range known {
		if d := editDistance(strings.ToLower(name), strings.ToLower(k), distance); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is Levenshtein's with neighbours swapped as one edit; anything
// from limit on is limit.
func editDistance(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	var before, previous []int
	current := make([]int, len(b)+1)
	for j := range current {
		current[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, previous, current = previous, current, make([]int, len(b)+1)
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
	}
	return min(current[len(b)], limit)
}
