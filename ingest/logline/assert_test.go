package logline

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// agreed is the fewest claims of each kind that must agree with CrowdSec's
// own tests where the data folder is there.
var agreed = map[string]int{
	"source_ip": 365, "http_status": 145, "http_path": 151, "http_verb": 150, "http_user_agent": 133, "timestamp": 203, "user": 116,
}

// TestAssert compares what recognition gives with what CrowdSec's tests say
// of the same logs: in a parser's test of each line, in a scenario's of each
// event of an alert. An event is looked for among the messages of its log:
// the one with which most of its claims agree is its own.
func TestAssert(t *testing.T) {
	same, claims, missed := map[string]int{}, map[string]int{}, map[string]int{}
	asserted := map[string][]map[string]string{}
	for _, file := range dataLogs(t) {
		dir := filepath.Dir(file)
		for _, name := range []string{"parser.assert", "scenario.assert"} {
			asserted[file] = append(asserted[file], claimsOf(t, filepath.Join(dir, name))...)
		}
	}
	for _, file := range slices.Sorted(maps.Keys(asserted)) {
		var messages []Message
		for _, text := range logTexts(t, file) {
			messages = append(messages, Recognise(text))
		}
		for _, claim := range asserted[file] {
			best, wrong := agreement(claim, messages)
			for name := range claim {
				claims[name]++
				if best[name] {
					same[name]++
				}
			}
			for _, name := range wrong {
				missed[filepath.Base(filepath.Dir(file))+" "+name]++
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missed)) {
		t.Logf("not found: %d %s", missed[name], name)
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		t.Logf("%-16s %4d of %4d claims agree", name, same[name], claims[name])
		if same[name] < agreed[name] {
			t.Errorf("%s: %d claims agree, want at least %d", name, same[name], agreed[name])
		}
	}
}

// agreement says with which of the claims the message agrees that agrees with
// most, and with which it doesn't.
func agreement(claim map[string]string, messages []Message) (best map[string]bool, wrong []string) {
	for _, m := range messages {
		if found := agrees(claim, m); len(found) > len(best) || best == nil {
			best = found
		}
	}
	for name := range claim {
		if !best[name] {
			wrong = append(wrong, name)
		}
	}
	slices.Sort(wrong)
	return best, wrong
}

func agrees(claim map[string]string, m Message) map[string]bool {
	found := map[string]bool{}
	for name, want := range claim {
		ok := false
		switch name {
		case "source_ip":
			ok = m.Address == want
		case "http_status":
			ok = strconv.Itoa(m.HTTP.Status) == want
		case "http_path":
			ok = m.HTTP.Path == want
		case "http_verb":
			ok = m.HTTP.Method == want
		case "http_user_agent":
			ok = m.UserAgent == want
		case "user":
			ok = m.User == want
		case "timestamp":
			at, err := time.Parse(time.RFC3339Nano, want)
			// Traefik's start is finer than the claim's time.
			ok = err == nil && m.Time.Truncate(time.Second).Equal(at.Truncate(time.Second))
		}
		if ok {
			found[name] = true
		}
	}
	return found
}

// claimsOf reads the claims that we have a name for, by line or event.
func claimsOf(t *testing.T, file string) []map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	meta := regexp.MustCompile(`^results\[(?:"s01-parse"\]\["([^"]+)"\]\[)?(\d+)\]\.(?:Evt|Overflow\.Alert\.Events\[(\d+)\])\.(?:Meta\[|GetMeta\()"([a-z_]+)"[\])] == (".*")$`)
	groups := map[string]map[string]string{}
	for line := range strings.Lines(string(data)) {
		parts := meta.FindStringSubmatch(strings.TrimSpace(line))
		if parts == nil {
			continue
		}
		value, err := strconv.Unquote(parts[5])
		name := parts[4]
		if name == "username" || name == "target_user" {
			name = "user"
		}
		if _, ok := agreed[name]; err != nil || !ok || value == "" || value == "-" {
			continue
		}
		key := parts[1] + "/" + parts[2] + "/" + parts[3]
		if groups[key] == nil {
			groups[key] = map[string]string{}
		}
		groups[key][name] = value
	}
	var list []map[string]string
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		list = append(list, groups[key])
	}
	return list
}
