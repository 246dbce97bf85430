package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
)

var nextPage = regexp.MustCompile(`<a href="(/console/runs\?[^"]*)" rel="next"`)

// TestRuns: each run comes once over the pages, by what is asked for, and pages
// of who may see few of them are as full as those of others.
func TestRuns(t *testing.T) {
	r := newRig(t)
	want := map[string]int{}
	for i := range 3*perPage + 7 {
		run := sampleRun("")
		run.ID, run.Updated = fmt.Sprintf("%032x", i+1), began.Add(-time.Duration(i)*time.Minute)
		if i%3 > 0 {
			run.Target = event.PodRef("bank", "ledger-0")
		}
		if i%2 == 1 {
			run.State, run.Playbook = event.RunClosed, "other"
		}
		r.house.runs[run.ID] = []event.Run{run}
	}
	pages := func(b *browser, path string) (ids []string, count int) {
		for path != "" {
			status, text := b.get(strings.ReplaceAll(path, "&amp;", "&"))
			if status != http.StatusOK {
				t.Fatalf("%s: %d %s", path, status, text)
			}
			for _, m := range regexp.MustCompile(`<th scope="row"><a href="/console/runs/([0-9a-f]{32})"`).FindAllStringSubmatch(text, -1) {
				ids = append(ids, m[1])
				want[m[1]]++
			}
			path, count = "", count+1
			if m := nextPage.FindStringSubmatch(text); m != nil {
				path = m[1]
			}
		}
		return ids, count
	}
	bob, sue := r.as("bob"), r.as("sue")
	all, n := pages(bob, Root+"runs")
	if len(all) != 3*perPage+7 || n != 4 || len(want) != len(all) || all[0] != fmt.Sprintf("%032x", 1) {
		t.Errorf("bob sees %d runs, %d different, on %d pages", len(all), len(want), n)
	}
	if few, n := pages(sue, Root+"runs"); len(few) != perPage+3 || n != 2 {
		t.Errorf("sue sees %d runs on %d pages", len(few), n)
	}
	for path, want := range map[string]int{
		"?state=closed": 78, "?state=going": 79, "?state=awaiting_approval&namespace=bank": 52, "?playbook=other": 78, "?since=24h": 157, "?state=nonsense": 157,
		"?playbook=none": 0, "?namespace=shop&since=all": 53,
	} {
		if got, _ := pages(bob, Root+"runs"+path); len(got) != want {
			t.Errorf("%s: %d runs, want %d", path, len(got), want)
		}
	}
	if status, _ := bob.get(Root + "runs?after=nowhere"); status != http.StatusBadRequest {
		t.Errorf("a place that there is not: %d", status)
	}
}

// TestRest: what waits beyond the first hundred is counted, by what the person
// may see, and the list of it is a link away.
func TestRest(t *testing.T) {
	r := newRig(t)
	for i := range maxQuestions + 30 {
		run := sampleRun("")
		run.ID = fmt.Sprintf("%032x", i+1)
		if i >= maxQuestions {
			run.Incident.Priority, run.Playbook = event.SeverityLow, fmt.Sprint("book-", i%24)
		}
		r.house.runs[run.ID] = []event.Run{run}
	}
	bank := sampleRun("")
	bank.ID, bank.Target = strings.Repeat("c", 32), event.PodRef("bank", "ledger-0")
	r.house.runs[bank.ID] = []event.Run{bank}
	_, text := r.as("sue").get(Root + "approvals")
	for _, want := range []string{"100 wait, the gravest first", "30 more", "30 of low", "2 of book-", "4 of others", "30 of shop", "state=awaiting_approval", "others that you may not see", "Waiting for approval (130)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the rest lacks %q", want)
		}
	}
	if strings.Contains(text, "bank") {
		t.Error("it counts what sue may not see")
	}
}
