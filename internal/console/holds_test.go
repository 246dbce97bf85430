package console

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/firebreak-io/firebreak/internal/event"
)

// TestHoldsOfOthers: who may see and decide in one namespace sees the holds that are of
// it, puts back what is of it alone, and is told that there is more; the page offers
// nobody what they may not do, and a form that is sent all the same does nothing.
func TestHoldsOfOthers(t *testing.T) {
	r := newRig(t)
	r.fill("")
	_, bank := r.elsewhere()
	away := heldRun("")
	away.ID, away.Target = bank, event.PodRef("bank", "ledger-0")
	own := Unclaimed{Run: strings.Repeat("5", 32), Step: "isolate", Action: "pod.quarantine", Object: event.PodRef("shop", "cart-0")}
	r.house.runs[bank], r.house.lost = []event.Run{away}, append(r.house.lost, own)
	sue, bob, eve := r.as("sue"), r.as("bob"), r.as("eve")
	_, text := sue.get(Root + "holds")
	for _, want := range []string{"runs/" + heldID + "/undo", "holds/" + own.Run + "/free", "cart-0", "web-7d4b9c5f6-kk2p8", "it holds more, in namespaces that you may not see", "others that you may not see"} {
		if !strings.Contains(text, want) {
			t.Errorf("sue's holds lack %q: %s", want, text)
		}
	}
	for _, not := range []string{"ledger-0", "worker-2", "made-up", "holds/" + lostID + "/free"} {
		if strings.Contains(text, not) {
			t.Errorf("sue sees %q", not)
		}
	}
	if _, text := bob.get(Root + "holds"); !strings.Contains(text, "worker-2") || strings.Contains(text, "/free") || strings.Contains(text, "/undo") || !strings.Contains(text, "You may not put it back") || !strings.Contains(text, "You may not undo") {
		t.Errorf("bob's holds are %s", text)
	}
	if _, text := eve.get(Root + "holds"); strings.Contains(text, "web-") || !strings.Contains(text, "others that you may not see") {
		t.Errorf("eve's holds are %s", text)
	}
	r.house.more = 3
	if _, text := sue.get(Root + "holds"); strings.Contains(text, "/free") || !strings.Contains(text, "in the whole cluster") || !strings.Contains(text, "3 more are held") {
		t.Errorf("with more than are known sue's are %s", text)
	}
	r.house.more = 0
	for _, c := range []struct {
		who    *browser
		run    string
		status int
		heard  int
	}{{eve, own.Run, 403, 0}, {sue, lostID, 403, 0}, {sue, own.Run, 200, 1}} {
		if status, text := c.who.send(Root+"holds/"+c.run+"/free", url.Values{}); status != c.status || len(r.house.heard) != c.heard {
			t.Errorf("free %s: %d, heard %q: %.300s", short(c.run), status, r.house.heard, text)
		}
	}
}

// TestFreed: who has a lost run freed is told what became of it, by its new record,
// and where it has none yet that it is only stored.
func TestFreed(t *testing.T) {
	r := newRig(t)
	r.fill("")
	r.house.take = func(m *memory, user, run string, _ Say) {
		next := heldRun("")
		next.ID, next.Adopted, next.Starter = lostID, true, user
		m.runs[lostID], m.lost = []event.Run{next}, nil
	}
	ann := r.as("ann")
	if _, text := ann.send(Root+"holds/"+lostID+"/free", url.Values{"reason": {"gone"}}); !strings.Contains(text, "What it holds is put back") || !strings.Contains(text, "/console/runs/"+lostID) {
		t.Errorf("it says %s", text)
	}
	if status, text := ann.get(Root + "holds?freed=none"); status != http.StatusOK || !strings.Contains(text, "No responder has taken it in yet") {
		t.Errorf("without a record it says %d %s", status, text)
	}
}

// TestManyHolds: of hundreds of holds each shows once, page by page, and those of a
// namespace alone if they are asked for.
func TestManyHolds(t *testing.T) {
	r := newRig(t)
	for i := range 250 {
		u := Unclaimed{Run: fmt.Sprintf("%032x", i+1), Step: "isolate", Object: event.PodRef("shop", fmt.Sprint("lost-", i))}
		run := heldRun("")
		run.ID, run.Target.Name = fmt.Sprintf("%031xf", i+1), fmt.Sprint("held-", i)
		if i%5 == 0 {
			u.Object.Namespace, run.Target.Namespace = "bank", "bank"
		}
		r.house.lost = append(r.house.lost, u)
		r.house.runs[run.ID] = []event.Run{run}
	}
	for _, c := range []struct {
		who, path, link string
		rows            string
		want, pages     int
	}{
		{"ann", "holds", "Further lost ones", `pods/[a-z]+/lost-\d+`, 250, 5},
		{"ann", "holds", "Further runs", `id="r-[0-9a-f]+"`, 250, 5},
		{"ann", "holds?namespace=bank", "Further lost ones", `pods/[a-z]+/lost-\d+`, 50, 1},
		{"ann", "holds?namespace=bank", "Further runs", `id="r-[0-9a-f]+"`, 50, 1},
		{"sue", "holds", "Further lost ones", `pods/[a-z]+/lost-\d+`, 200, 4},
		{"sue", "holds", "Further runs", `id="r-[0-9a-f]+"`, 200, 5},
	} {
		who, seen, pages := r.as(c.who), map[string]bool{}, 0
		for path := Root + c.path; path != ""; pages++ {
			status, text := who.get(strings.ReplaceAll(path, "&amp;", "&"))
			if status != http.StatusOK {
				t.Fatalf("%s: %d %s", path, status, text)
			}
			for _, row := range regexp.MustCompile(c.rows).FindAllString(text, -1) {
				seen[row] = true
			}
			path = ""
			if m := regexp.MustCompile(`<a href="(/console/holds[^"]*)"[^>]*>` + c.link).FindStringSubmatch(text); m != nil {
				path = m[1]
			}
		}
		if len(seen) != c.want || pages > c.pages {
			t.Errorf("%s, %s by %q: %d on %d pages, want %d on %d", c.who, c.path, c.link, len(seen), pages, c.want, c.pages)
		}
	}
}
