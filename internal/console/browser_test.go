package console

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/test/chromium"
)

// tab is a tab of a real browser, headless.
type tab struct {
	*rig
	ctx context.Context
	// wrong is what scripts of the page complained about, or the policy.
	wrong *[]string
}

// tab opens a browser of its own, and a tab in it.
func (r *rig) tab() *tab {
	r.t.Helper()
	ctx := chromium.Open(r.t, chromedp.Flag("ignore-certificate-errors", true))
	b := &tab{rig: r, ctx: ctx, wrong: &[]string{}}
	chromedp.ListenTarget(ctx, func(e any) {
		r.mu.Lock()
		defer r.mu.Unlock()
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			*b.wrong = append(*b.wrong, e.ExceptionDetails.Error())
		case *cdppage.EventJavascriptDialogOpening:
			*b.wrong = append(*b.wrong, "a dialog: "+e.Message)
		}
	})
	return b
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// visit loads a page.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.server.URL+Root+path), chromedp.WaitReady("footer"))
}

func (b *tab) login(name string) {
	b.t.Helper()
	b.visit("login")
	b.do(chromedp.SendKeys("#token", "token-"+name), chromedp.Submit("#token"), chromedp.WaitVisible(".who"))
}

// look is a kind of screen.
type look struct {
	name          string
	width, height int64
	dark          bool
	zoom          float64
}

// looks are a desk's screen by day and by night, the same at 200 %, and one of
// 320 pixels: a telephone, or a desk's screen at 400 % (WCAG 2.2, 1.4.10).
var looks = []look{{"light", 1280, 900, false, 1}, {"dark", 1280, 900, true, 1}, {"zoomed", 640, 450, false, 2}, {"narrow", 320, 700, true, 1}}

func (l look) set() chromedp.Action {
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	return chromedp.Tasks{
		chromedp.EmulateViewport(l.width, l.height, chromedp.EmulateScale(l.zoom)),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}),
	}
}

// keep writes a picture of the page into FIREBREAK_SCREENSHOTS, to be looked at.
func (b *tab) keep(name string) {
	b.t.Helper()
	dir := os.Getenv("FIREBREAK_SCREENSHOTS")
	if dir == "" {
		return
	}
	var picture []byte
	b.do(chromedp.FullScreenshot(&picture, 100))
	if err := os.WriteFile(filepath.Join(dir, strings.Trim(strings.ReplaceAll(name, "/", "-"), "-?")+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// look says what of a page is hard to use, by the DOM and by what a screen
// reader is told.
func (b *tab) look() (found []string) {
	b.t.Helper()
	b.do(chromedp.Evaluate(lint, &found))
	// The protocol's own types refuse what a newer browser says beside this.
	var tree struct {
		Nodes []struct {
			Ignored bool `json:"ignored"`
			Role    told `json:"role"`
			Name    told `json:"name"`
		} `json:"nodes"`
	}
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		return cdp.Execute(ctx, "Accessibility.getFullAXTree", nil, &tree)
	}))
	landmarks := map[string]int{}
	for _, n := range tree.Nodes {
		if n.Ignored {
			continue
		}
		role, name := fmt.Sprint(n.Role.Value), strings.TrimSpace(fmt.Sprint(n.Name.Value))
		landmarks[role]++
		switch role {
		case "button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "meter", "form", "region", "navigation", "img", "image", "table", "article":
			if name == "" || name == "<nil>" {
				found = append(found, "a "+role+" has no name for a screen reader")
			}
		}
	}
	for _, role := range []string{"banner", "main", "contentinfo"} {
		if landmarks[role] != 1 {
			found = append(found, fmt.Sprintf("%d landmarks %s", landmarks[role], role))
		}
	}
	return found
}

// told is what a screen reader is told.
type told struct {
	Value any `json:"value"`
}

// TestLooks: every page, in light, dark and on a narrow screen, has no fault
// that can be computed. With FIREBREAK_SCREENSHOTS it leaves pictures behind.
func TestLooks(t *testing.T) {
	r := newRig(t)
	r.fill("")
	r.flow()
	b := r.tab()
	b.visit("login")
	for _, l := range looks {
		b.do(l.set())
		b.keep("login-" + l.name)
		for _, fault := range b.look() {
			t.Errorf("login, %s: %s", l.name, fault)
		}
	}
	b.login("ann")
	pages := append([]string{"nothing"}, every...)
	for _, path := range pages {
		b.visit(path)
		b.do(chromedp.Evaluate(`document.querySelectorAll("details").forEach((d) => { d.open = true }); true`, nil))
		for _, l := range looks {
			b.do(l.set())
			b.keep(path + "-" + l.name)
			for _, fault := range b.look() {
				t.Errorf("%s, %s: %s", path, l.name, fault)
			}
		}
	}
	r.house.runs[runID] = []event.Run{sampleRun(""), heldRun("")}
	r.house.report = sampleReport("", 0)
	r.pass(time.Minute)
	b.visit("runs/" + runID + "?said=undo&at=7")
	for _, l := range looks {
		b.do(l.set())
		b.keep("held-" + l.name)
		for _, fault := range b.look() {
			t.Errorf("held run, %s: %s", l.name, fault)
		}
	}
	// What there is nothing of, and what is seen in part.
	part := r.shared()
	for who, paths := range map[string][]string{"eve": {"", "runs", "holds", "approvals"}, "sue": {"holds", "incidents/" + part.ID, "reviews"}} {
		b.do(network.ClearBrowserCookies())
		b.login(who)
		for _, path := range paths {
			b.visit(path)
			for _, l := range []look{looks[0], looks[3]} {
				b.do(l.set())
				b.keep(who + "-" + path + "-" + l.name)
				for _, fault := range b.look() {
					t.Errorf("%s of %s, %s: %s", path, who, l.name, fault)
				}
			}
		}
	}
	b.none()
}

// none is that nothing went wrong in the browser.
func (b *tab) none() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range *b.wrong {
		b.t.Errorf("the browser says %s", w)
	}
}

// flow makes the counters move.
func (r *rig) flow() {
	for i := range 30 {
		r.house.flow = Flow{Events: uint64(i * i * 40), Batches: uint64(i * 7), Findings: uint64(i / 4), Unread: 3}
		if err := r.page.flows.take(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
		r.pass(sampleEvery)
	}
	r.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
}

// TestHostileLooks: what somebody wrote to break the page stays text, and the
// page stays as wide as the screen.
func TestHostileLooks(t *testing.T) {
	r := newRig(t)
	r.fill(hostile)
	b := r.tab()
	b.login("ann")
	for _, path := range every {
		for _, l := range []look{looks[0], looks[3]} {
			b.do(l.set())
			b.visit(path)
			b.keep("hostile-" + path + "-" + l.name)
			for _, fault := range b.look() {
				t.Errorf("%s, %s: %s", path, l.name, fault)
			}
			var made int
			b.do(chromedp.Evaluate(`document.querySelectorAll("main script, main img, [onerror]").length`, &made))
			if made > 0 {
				t.Errorf("%s: %d elements come of the data", path, made)
			}
		}
	}
	b.none()
}

// TestKeyboard: the key Tab comes to everything that can be used, in the order
// of the page, shows where it is, and the first thing it comes to skips the
// navigation.
func TestKeyboard(t *testing.T) {
	r := newRig(t)
	r.fill("")
	b := r.tab()
	b.login("ann")
	for _, path := range every {
		b.visit(path)
		var want, got []string
		b.do(chromedp.Evaluate(focusable, &want))
		for range want {
			var at struct {
				Name    string
				Visible bool
			}
			b.do(chromedp.KeyEvent("\t"), chromedp.Evaluate(`(() => { const e = document.activeElement, s = getComputedStyle(e);
				return {Name: e.tagName + " " + (e.name || e.href || e.textContent.trim().slice(0, 40)), Visible: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2}; })()`, &at))
			got = append(got, at.Name)
			if !at.Visible {
				t.Errorf("%s: nobody sees that %s has the focus", path, at.Name)
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: Tab comes to\n%s\nwant\n%s", path, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	b.visit("")
	b.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
	var at string
	b.do(chromedp.Evaluate(`document.activeElement.id`, &at))
	if at != "main" {
		t.Errorf("skipping leads to %q", at)
	}
	b.none()
}

// TestLivePage: what changes shows without loading the page, is told to screen
// readers, and leaves alone a part in which somebody writes.
func TestLivePage(t *testing.T) {
	r := newRig(t)
	r.fill("")
	r.live()
	b := r.tab()
	b.login("ann")
	b.visit("runs/" + runID)
	b.do(chromedp.WaitVisible(`html[data-connected]`), chromedp.SendKeys("#reason-"+runID, "I write this"))
	b.do(chromedp.Evaluate(`document.querySelector("#s-journal").dataset.mark = "old"; document.querySelector("#d-guards-0").open = true; true`, nil))
	change := func(run event.Run) {
		r.house.mu.Lock()
		r.house.runs[runID] = append(r.house.runs[runID], run)
		r.house.mu.Unlock()
		r.put(bus.SubjectRun(runID), run)
	}
	next := sampleRun("")
	next.Approval.Reasons = append(next.Approval.Reasons, "one reason more")
	next.Reason, next.Steps[1].State, next.Steps[1].Error = "still two", event.StepFailed, "the pager does not answer"
	change(next)
	b.do(chromedp.WaitVisible(`//*[@id="s-steps"]//*[contains(text(), "the pager does not answer")]`, chromedp.BySearch))
	var status, typed string
	var open bool
	b.do(chromedp.Poll(`document.getElementById("live").textContent.includes("A part in which you write")`, nil, chromedp.WithPollingTimeout(0)),
		chromedp.Text("#live", &status), chromedp.Value("#reason-"+runID, &typed), chromedp.Evaluate(`document.querySelector("#d-guards-0").open`, &open))
	if typed != "I write this" || !open || !strings.Contains(status, "Run fedcba987654 is awaiting approval") {
		t.Errorf("typed %q, open %v, status %q", typed, open, status)
	}
	// What was typed is gone, and the run goes on: the question goes, the hold comes.
	b.do(chromedp.Evaluate(`document.activeElement.value = ""; document.activeElement.blur(); true`, nil))
	change(heldRun(""))
	b.do(chromedp.WaitVisible(`//*[contains(text(), "until 2026-01-02 04:00:00 UTC, then restore")]`, chromedp.BySearch),
		chromedp.WaitNotPresent("#reason-"+runID), chromedp.WaitVisible("#extend-for"))
	// Who is signed out elsewhere is told.
	r.cluster.forget("token-ann")
	r.pass(believed + time.Second)
	r.page.hub.close()
	b.do(chromedp.WaitVisible(`//*[@id="live" and contains(text(), "not signed in any more")]`, chromedp.BySearch))
	b.none()
}

// TestWithoutScript: everything reads and everything can be said without
// JavaScript.
func TestWithoutScript(t *testing.T) {
	r := newRig(t)
	r.fill("")
	r.house.take = func(m *memory, user, run string, s Say) {
		next := sampleRun("")
		next.Input = 7
		next.Approval.Votes = append(next.Approval.Votes, event.Vote{User: user, Approve: s.Deed == "approve", Reason: s.Reason, Time: began})
		m.runs[run] = append(m.runs[run], next)
	}
	b := r.tab()
	b.do(emulation.SetScriptExecutionDisabled(true))
	b.login("ann")
	b.visit("")
	b.do(chromedp.Click(`a[href="/console/incidents/`+incidentID+`"]`), chromedp.WaitVisible("#h-timeline"),
		chromedp.Click(`main a[href="/console/runs/`+runID+`"]`), chromedp.WaitVisible("#h-question"),
		chromedp.SendKeys("#reason-"+runID, "contain it"), chromedp.SetValue("#hold-"+runID, "15m"), chromedp.Click("#s-question button.yes"), chromedp.WaitVisible("#said"))
	var said string
	b.do(chromedp.Text("#said", &said))
	if said != "Your yes counts." {
		t.Errorf("said: %q", said)
	}
	want := `ann: approve fedcba987654 digest=0badc0de0badc0de reason="contain it" hold=15m0s at_end= over=false`
	if len(r.house.heard) != 1 || r.house.heard[0] != want {
		t.Errorf("heard %q, want %q", r.house.heard, want)
	}
	b.none()
}
