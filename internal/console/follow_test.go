package console

import (
	"context"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/firebreak-io/firebreak/internal/bus"
	"github.com/firebreak-io/firebreak/internal/event"
)

// TestFocus: who goes about by the keyboard stays where they are while the page
// brings itself up to date: on the same link, and on the content where that is
// gone; and a screen reader is told politely.
func TestFocus(t *testing.T) {
	r := newRig(t)
	r.fill("")
	r.live()
	b := r.tab()
	b.login("ann")
	b.visit("incidents/" + incidentID)
	link := `#s-what a[href="/console/runs/` + runID + `"]`
	b.do(chromedp.WaitVisible(`html[data-connected]`), chromedp.Focus(link))
	change := func(in event.Incident) {
		r.house.mu.Lock()
		r.house.incidents[in.ID] = in
		r.house.mu.Unlock()
		r.put(bus.SubjectIncident(in.ID), in)
	}
	at := func() (where string) {
		b.do(chromedp.Evaluate(`document.activeElement.getAttribute("href") || document.activeElement.id`, &where))
		return where
	}
	in := sampleIncident("")
	in.AcknowledgedBy, in.Linked = "carol", nil
	change(in)
	b.do(chromedp.Poll(`document.getElementById("s-what").textContent.includes("carol")`, nil, chromedp.WithPollingTimeout(0)))
	if got := at(); got != "/console/runs/"+runID {
		t.Errorf("the focus went from the link to %q", got)
	}
	in.Runs, in.Findings = nil, nil
	change(in)
	b.do(chromedp.WaitNotPresent(link))
	if got := at(); got != "main" {
		t.Errorf("the link is gone, and the focus is at %q", got)
	}
	// What is told, and how.
	var tree struct {
		Nodes []struct {
			Role       told `json:"role"`
			Properties []struct {
				Name  string `json:"name"`
				Value told   `json:"value"`
			} `json:"properties"`
		} `json:"nodes"`
	}
	b.do(chromedp.Poll(`document.getElementById("live").textContent.includes("Incident 0123456789ab is open, critical")`, nil, chromedp.WithPollingTimeout(0)),
		chromedp.ActionFunc(func(ctx context.Context) error {
			return cdp.Execute(ctx, "Accessibility.getFullAXTree", nil, &tree)
		}))
	polite := 0
	for _, n := range tree.Nodes {
		for _, p := range n.Properties {
			switch {
			case p.Name == "live" && p.Value.Value == "assertive":
				t.Errorf("a %v interrupts", n.Role.Value)
			case p.Name == "live" && p.Value.Value == "polite" && n.Role.Value == "status":
				polite++
			}
		}
	}
	if polite != 1 {
		t.Errorf("%d polite regions tell what changed", polite)
	}
	b.none()
}

// TestPolicy: the browser itself refuses scripts and styles that stand in the
// page, and what is of elsewhere, whoever put it there.
func TestPolicy(t *testing.T) {
	r := newRig(t)
	r.fill("")
	b := r.tab()
	b.login("ann")
	b.visit("")
	want := []string{"connect-src", "form-action", "frame-src", "img-src", "script-src-attr", "script-src-elem", "style-src-attr", "style-src-elem"}
	var refused []string
	b.do(chromedp.Evaluate(`(async () => {
		const refused = new Set(), title = document.title;
		const all = new Promise((done) => {
			addEventListener("securitypolicyviolation", (e) => { refused.add(e.effectiveDirective); if (refused.size === 8) done(); });
			setTimeout(done, 180000);
		});
		const put = (html) => { const d = document.createElement("div"); d.innerHTML = html; document.body.append(d); return d; };
		const script = document.createElement("script");
		script.textContent = "document.title = 'inline'";
		document.body.append(script);
		put("<p style='color:red'>x</p><style>p{color:red}</style><img src='https://elsewhere.invalid/x.png'><iframe src='https://elsewhere.invalid/'></iframe>");
		put("<button onclick='document.title = 1'>x</button>").querySelector("button").click();
		fetch("https://elsewhere.invalid/").catch(() => 0);
		put("<form method='post' action='https://elsewhere.invalid/'></form>").querySelector("form").submit();
		await all;
		if (document.title !== title) refused.add("but something ran: " + document.title);
		return [...refused].sort();
	})()`, &refused, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if !slices.Equal(refused, want) {
		t.Errorf("the browser refused %q, want %q", refused, want)
	}
}
